"""What TensorBoard's own readers make of a folder of event files, as JSON: the one of its API and the one of its server."""
import json
import sys

import numpy as np
from tensorboard.backend.event_processing import event_accumulator, plugin_event_accumulator
from tensorboard.util import tensor_util

api = event_accumulator.EventAccumulator(sys.argv[1], size_guidance={"scalars": 0, "images": 0, "tensors": 0})
api.Reload()
server = plugin_event_accumulator.EventAccumulator(sys.argv[1], size_guidance={"tensors": 0})
server.Reload()


def number(value):
    return float(value) if np.isfinite(value) else str(value)


def of_server(tag):
    return [[e.step, tensor_util.make_ndarray(e.tensor_proto)] for e in server.Tensors(tag)]


plugins = {tag: server.SummaryMetadata(tag).plugin_data.plugin_name for tag in server.Tags()["tensors"]}
print(json.dumps({
    "scalars": {t: [[e.step, number(e.value)] for e in api.Scalars(t)] for t in api.Tags()["scalars"]},
    "images": {
        t: [[e.step, e.width, e.height, e.encoded_image_string.hex()] for e in api.Images(t)]
        for t in api.Tags()["images"]
    },
    "texts": {
        t: [[e.step, tensor_util.make_ndarray(e.tensor_proto).item().decode()] for e in api.Tensors(t)]
        for t in api.Tags()["tensors"]
    },
    "server": {
        t: [[step, number(value.item())] for step, value in of_server(t)]
        for t, plugin in plugins.items() if plugin == "scalars"
    },
    "serverImages": {
        t: [[step, [x.decode("latin1") for x in value.tolist()][:2]] for step, value in of_server(t)]
        for t, plugin in plugins.items() if plugin == "images"
    },
    "serverTexts": {
        t: [[step, value.item().decode()] for step, value in of_server(t)]
        for t, plugin in plugins.items() if plugin == "text"
    },
}))
