/**
 * SHA-256 of every file of the recorded reference results, by kind of folder. `gsva verify` compares them, so that an
 * altered recording cannot pass for the reference.
 */

export type RecordingKind = 'model' | 'metrics' | 'tokenizer' | 'datasets' | 'images';

/** Pictures that are not kept with the sources; a check that needs them is left out where they are absent. */
export const PHOTOGRAPHS: readonly string[] = ['dog.jpg', 'truck.jpg', 'groceries.jpg'];

/** Kind → path inside the folder → SHA-256 in hexadecimal. */
export const REFERENCE_DIGESTS: Readonly<Record<RecordingKind, Readonly<Record<string, string>>>> = {
  model: {
    'after_5_updates.safetensors': 'b905fe768b394ec8d08180577fa9bbb2a7608ba6e649299be2886aa597b44a48',
    'case.json': '29f8948fe36a4860bedf4d76439af40a8eb7a9d3471d09f2a1a3f42154b65b7f',
    'case.safetensors': '02eefbb3725da0a33e19bfe4d21d6924d116dae318263f84a148c25ab1de26cd',
    'config.json': '6b5cbdebe6e1a55d9901de45fb3a434e959b9d6740c3efdcc9eab3845049de92',
    'grads.safetensors': '5e839ae8c15cb7660579c04578b9025c0dcac29e7fc0db3848722c6b50c92ed0',
    'model.safetensors': '8d03f049cb5ab7d9d0fb0c984f5e517ea0e011ce688a005ddd19e1f701d43c0f',
  },
  metrics: {
    'case.json': 'cb59467dc7293d420554b7eccdd7e7997dfe3464c14d7c9cee69dddda95b3eba',
    'predictions.safetensors': '069eb2e25cb158a07d23c4f71b0f0cc32b096bafafff81274b0367adffaf9dc9',
  },
  tokenizer: {
    'cases.json': '773a31555ba7b902bf2fb29ae9095ff433d314dcb2146eeb753788ef8d78408d',
    'special_tokens_map.json': 'dc58df19406c65de565835cc381fbe633767f0ffa332faeb70ca2e226083ef30',
    'tokenizer.model': 'd7f68a6c442e422ecac6db720ab02876d7ad3f096966b81bcce2e4fb0412db24',
    'tokenizer_config.json': '97fc00eddab652c53e877f0cef61875e3f40c38cc504b4fbfcb62019a3ae4764',
  },
  datasets: {
    'data/ade20k/annotations/training/ADE_train_00000000.png':
      'c2df018da336f951412b88136444ad140b4d94cc0b492310fb1c8a4a059f3e7c',
    'data/ade20k/annotations/training/ADE_train_00000001.png':
      '8f3cf4a2fbe907a6da849e5e9cf21c210cfc28ea1bf30755b52d692142a12cf7',
    'data/ade20k/annotations/training/ADE_train_00000002.png':
      '942402b02c49c82f41bb8753c4118a5a4fa01cc7f6a21a15489002f6aff98440',
    'data/ade20k/annotations/validation/ADE_val_00000000.png':
      'b7808068c61debd1da34751f49dd691b4da08d7967613c674db939033083ddf2',
    'data/ade20k/annotations/validation/ADE_val_00000001.png':
      '696be3e41b736cc4436fa16468fbd82a54ee905607c261765b55c05e58f650d9',
    'data/ade20k/annotations/validation/ADE_val_00000002.png':
      '6416337c6cbd9f957809bd1990b57c62431db06acac3af4996f0698b6561a24e',
    'data/ade20k/images/training/ADE_train_00000000.jpg':
      '9f6dbbb974fa26c40a5cc8f89548437dd8b3f2dd02cc45cc6d138a8e3a172e49',
    'data/ade20k/images/training/ADE_train_00000001.jpg':
      '5106a1649fb7a2e743b00efe9b52fc47b7761018b28f4e03f080edd7c2bd76c5',
    'data/ade20k/images/training/ADE_train_00000002.jpg':
      '620e09b571b5f683167ebd1a135854e4910f71a7115144c20dfbd4fc80032817',
    'data/ade20k/images/validation/ADE_val_00000000.jpg':
      'b14e02b419b06eb424aae4b49b76676b9ca034d7a786581abf925d5d7112ccb9',
    'data/ade20k/images/validation/ADE_val_00000001.jpg':
      'e685dc1f4ca4b70aa5d2b484e251e37c97d9a7f35f624c6b185730a2987c0b6d',
    'data/ade20k/images/validation/ADE_val_00000002.jpg':
      'bede7b3e565c294fbdf3c7632635a05febfa9408620fdfdf08f19fb524da0568',
    'data/coco/train2017/000000000000.jpg': '9f6dbbb974fa26c40a5cc8f89548437dd8b3f2dd02cc45cc6d138a8e3a172e49',
    'data/coco/train2017/000000000001.jpg': '5106a1649fb7a2e743b00efe9b52fc47b7761018b28f4e03f080edd7c2bd76c5',
    'data/coco/train2017/000000000002.jpg': '620e09b571b5f683167ebd1a135854e4910f71a7115144c20dfbd4fc80032817',
    'data/cocostuff/train2017/000000000000.png': '1ac5361db4c3412d980978dac6f1680defb2baa0c5f66c88b085736bf5ee1287',
    'data/cocostuff/train2017/000000000001.png': 'c5c05e9f86c842b1bf307085d38cbec92a346763aa0be914c3e39aa62cb1f707',
    'data/cocostuff/train2017/000000000002.png': 'd01df657698c2e75842fc0e47390fdc0952f958c745cb66f6696312b6a99292b',
    'data/llava_dataset/llava_instruct_150k.json': '7e01601e444f94efb77d23f4b90cb97695485262c64ad23a99ec5a74011e9567',
    'data/mapillary/config_v2.0.json': '0c482f996dd3041421599918c263085f21986bc40863f553eca3dec1f5c32937',
    'data/mapillary/training/images/map0.jpg': '9f6dbbb974fa26c40a5cc8f89548437dd8b3f2dd02cc45cc6d138a8e3a172e49',
    'data/mapillary/training/images/map1.jpg': '5106a1649fb7a2e743b00efe9b52fc47b7761018b28f4e03f080edd7c2bd76c5',
    'data/mapillary/training/v2.0/labels/map0.png': '7218fb36b139d5e8fac80d9a9f02ebdcbbb54127e30abf0e9e549f4438847ff4',
    'data/mapillary/training/v2.0/labels/map1.png': 'd9bb2dcd56f72fe772b42e7e7194936a0640d63b4912bc2bb28cf54822d86348',
    'data/reason_seg/ReasonSeg/explanatory/train.json':
      '5bb55ce969782276d1b6e1664417ce0a5833e41dfa9779acce0f6f380c203dbd',
    'data/reason_seg/ReasonSeg/test/test_5.jpg': 'bede7b3e565c294fbdf3c7632635a05febfa9408620fdfdf08f19fb524da0568',
    'data/reason_seg/ReasonSeg/test/test_5.json': '9c743bc65a9290cdf8a01f3db57beb59b8b0eee6e79eb574b2c759ea49848f49',
    'data/reason_seg/ReasonSeg/train/train_0.jpg': '9f6dbbb974fa26c40a5cc8f89548437dd8b3f2dd02cc45cc6d138a8e3a172e49',
    'data/reason_seg/ReasonSeg/train/train_0.json': '5e32d82f7af661f35965d0ba7c8f83b28c4130ed0b2b98ff1623812ab1fdd458',
    'data/reason_seg/ReasonSeg/train/train_1.jpg': '5106a1649fb7a2e743b00efe9b52fc47b7761018b28f4e03f080edd7c2bd76c5',
    'data/reason_seg/ReasonSeg/train/train_1.json': 'df29704139dbfaf7fac86fd5374c4fb8dac7a62e72cd86ca81a386c658383eff',
    'data/reason_seg/ReasonSeg/train/train_2.jpg': '620e09b571b5f683167ebd1a135854e4910f71a7115144c20dfbd4fc80032817',
    'data/reason_seg/ReasonSeg/train/train_2.json': '48b7d3361837762a73ce2ad2d49b9bc472ba5ec3af72eb885ba430c2c3a5f5a2',
    'data/reason_seg/ReasonSeg/val/val_3.jpg': 'b14e02b419b06eb424aae4b49b76676b9ca034d7a786581abf925d5d7112ccb9',
    'data/reason_seg/ReasonSeg/val/val_3.json': '1e52192af18a75cbaa217a9ef36fb74c8d35ce0ad5feaeebaf88eebbb3abeb3e',
    'data/reason_seg/ReasonSeg/val/val_4.jpg': 'e685dc1f4ca4b70aa5d2b484e251e37c97d9a7f35f624c6b185730a2987c0b6d',
    'data/reason_seg/ReasonSeg/val/val_4.json': '031640ecb1d8cd73070a81f0bca88a490dea14330e99ae8c5958019e85c6379f',
    'data/refer_seg/grefcoco/grefs(unc).json': 'b89b137539fb39fa5fc67d4a83fd6ce489e9181ab28287f619a087b0ce71f86e',
    'data/refer_seg/grefcoco/instances.json': '04630667d5525ad886f84028ad49f8c9fd3170345be5477e4c6239ed4eecfd3d',
    'data/refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000100.jpg':
      '9f6dbbb974fa26c40a5cc8f89548437dd8b3f2dd02cc45cc6d138a8e3a172e49',
    'data/refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000101.jpg':
      '5106a1649fb7a2e743b00efe9b52fc47b7761018b28f4e03f080edd7c2bd76c5',
    'data/refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000102.jpg':
      '620e09b571b5f683167ebd1a135854e4910f71a7115144c20dfbd4fc80032817',
    'data/refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000103.jpg':
      'b14e02b419b06eb424aae4b49b76676b9ca034d7a786581abf925d5d7112ccb9',
    'data/refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000104.jpg':
      'e685dc1f4ca4b70aa5d2b484e251e37c97d9a7f35f624c6b185730a2987c0b6d',
    'data/refer_seg/images/mscoco/images/train2014/COCO_train2014_000000000105.jpg':
      'bede7b3e565c294fbdf3c7632635a05febfa9408620fdfdf08f19fb524da0568',
    'data/refer_seg/images/saiapr_tc-12/COCO_train2014_000000000100.jpg':
      '9f6dbbb974fa26c40a5cc8f89548437dd8b3f2dd02cc45cc6d138a8e3a172e49',
    'data/refer_seg/images/saiapr_tc-12/COCO_train2014_000000000101.jpg':
      '5106a1649fb7a2e743b00efe9b52fc47b7761018b28f4e03f080edd7c2bd76c5',
    'data/refer_seg/images/saiapr_tc-12/COCO_train2014_000000000102.jpg':
      '620e09b571b5f683167ebd1a135854e4910f71a7115144c20dfbd4fc80032817',
    'data/refer_seg/images/saiapr_tc-12/COCO_train2014_000000000103.jpg':
      'b14e02b419b06eb424aae4b49b76676b9ca034d7a786581abf925d5d7112ccb9',
    'data/refer_seg/images/saiapr_tc-12/COCO_train2014_000000000104.jpg':
      'e685dc1f4ca4b70aa5d2b484e251e37c97d9a7f35f624c6b185730a2987c0b6d',
    'data/refer_seg/images/saiapr_tc-12/COCO_train2014_000000000105.jpg':
      'bede7b3e565c294fbdf3c7632635a05febfa9408620fdfdf08f19fb524da0568',
    'data/refer_seg/refclef/instances.json': '8d83cfaf3cec35657075b75f7da1ba902577032ca9d45fe5b53f2316271cae6a',
    'data/refer_seg/refclef/refs(unc).p': '50bada0dbc5c40674af8992a792ce4ed7910cbcfc7615366582cc86c8e794303',
    'data/refer_seg/refcoco+/instances.json': '8d83cfaf3cec35657075b75f7da1ba902577032ca9d45fe5b53f2316271cae6a',
    'data/refer_seg/refcoco+/refs(unc).p': '0b37aebe6f61db92d8521b3b7ce0403e3c24ae55b01552dbc213de5465e395f5',
    'data/refer_seg/refcoco/instances.json': '8d83cfaf3cec35657075b75f7da1ba902577032ca9d45fe5b53f2316271cae6a',
    'data/refer_seg/refcoco/refs(unc).p': '616b76e9f849432e047431eee3484fd194f82d699e874c56d479b7080174caeb',
    'data/refer_seg/refcocog/instances.json': '8d83cfaf3cec35657075b75f7da1ba902577032ca9d45fe5b53f2316271cae6a',
    'data/refer_seg/refcocog/refs(umd).p': 'a6806d870ffd91f687849b97df211450aa24a790b12bd6a75ed217298d27b60e',
    'data/refer_seg/refzom/Ref_ZOM.p': '376e241035a51b38a9674b25755e30905b67c3f993a3ea7b80cfb047aebcf57c',
    'data/refer_seg/refzom/instances.json': '04630667d5525ad886f84028ad49f8c9fd3170345be5477e4c6239ed4eecfd3d',
    'data/vlpart/paco/annotations/paco_lvis_v1_train.json':
      'c0a1035f94485e723fd35b85774257d0ce91b61edd8c6e5edf142c206ac3510a',
    'data/vlpart/pascal_part/VOCdevkit/VOC2010/JPEGImages/2008_000000.jpg':
      '9f6dbbb974fa26c40a5cc8f89548437dd8b3f2dd02cc45cc6d138a8e3a172e49',
    'data/vlpart/pascal_part/VOCdevkit/VOC2010/JPEGImages/2008_000001.jpg':
      '5106a1649fb7a2e743b00efe9b52fc47b7761018b28f4e03f080edd7c2bd76c5',
    'data/vlpart/pascal_part/VOCdevkit/VOC2010/JPEGImages/2008_000002.jpg':
      '620e09b571b5f683167ebd1a135854e4910f71a7115144c20dfbd4fc80032817',
    'data/vlpart/pascal_part/train.json': '2df6340dfd540ff0f4029453e71f93363621b9acee8b86684d7357507c901210',
    'expected_polygons.json': 'af2f9691b69b92cc58d775a3af832e789f9dc864dafd11d1da869233fa3f28c9',
    'expected_semseg.json': '2f27069b23b46a873efdaa19bc2bb73bb6e5be4857ea7e53ab7bdf768f5b8f7e',
    'expected_val.json': '559aa0e86cc1c80b9a08b05859e158e3f0667c51b96a06ab9769b003d269afa1',
    'expected_vqa.json': 'f5c4590a3be8f28e39a78f577688f4cb93efedc2139ccae0cb5aeff695c9b8cc',
  },
  images: {
    'alpha.png': 'c21f3f4a88afd489e7ec4cb1cfbd0815a493f05783889d19d548b2aaa2e9a5e8',
    'alpha.png.clip224.png': '7620eac78a4c8001550561ecdb021ec36589cdc95a47e241ecfc38cb07452746',
    'alpha.png.sam512.png': 'e9feab92c157bf1896e4cd8ecc087fff159b918ad9802c10abce271e1da6d8a6',
    'dog.jpg': 'bf76876b90e3ebd521f9882b9177ba8f33e80cb7ec09c630f179b122edd125e1',
    'dog.jpg.clip224.png': 'a9a19b72d7b2c3898e38dbcc72fb036374e8e19e6e03475cf562adf174c201b8',
    'dog.jpg.sam512.png': 'd16cd35cdb44f0d87d2bfafc10bb61b203eb22cd19089cc52a8c8cbb02a01ad6',
    'exif_rot6.jpg': '1940cd4f9f927227a9391f8ca8d1abc348232165d7ee8b1db80250186eb18b1e',
    'exif_rot6.jpg.clip224.png': '8d4c3ea4e2bccfe38d47f0a9bc7c22ea99ffe4765271dbbe267ea8e700033c51',
    'exif_rot6.jpg.sam512.png': '9bbbe71c44058759a175b0a94145ade9f7ba476e73a0d0837d008630f57f7e3a',
    'expected.json': '49323c5dada13ac0ef913115640820400d9038dec50e1d693fa92c0bf7638765',
    'gray.png': 'e6329a2675c9d982988f50513b29926dbd71b377fa2f7c884c1b1c2cf737527d',
    'gray.png.clip224.png': '8856e5dcbbecbf527cf06f6342fdabaa89396101c84c35a0ebffe7298ea43ef3',
    'gray.png.sam512.png': '6a2c1cf0b8ebdf601fd9f40a6c6a3fc9243bdda45e033ef7812cddf8b5f56d96',
    'groceries.jpg': '7073dfecb5a3ecafb6152124113163a0ea1c1c70f92999ec892b519eca63e3d3',
    'groceries.jpg.clip224.png': '53b8f2e9d26201c4658736a9d07ee48fc4d204a6ca9d6656cc50d730e2c779ff',
    'groceries.jpg.sam512.png': '37a7bebd92d2d933c403c164ff9592651f0a6ac00fddd206f8e2c2f1a6c48c43',
    'palette.png': '2921595dda49945fda811e10e34497e7e00dd72bfe190483cbbbdfc3171f1545',
    'palette.png.clip224.png': 'a8b0aec049480314ed3b487dadd8ea427d4a19495988619b11472463011dd5e7',
    'palette.png.sam512.png': 'f8a20f4d0a308087c0168ff61ca574855718e8a2403de1df80a119d2b388f575',
    'small_odd.png': 'b824768fc1c23d7ca2cf805657d49616c872fff249de52084436189a903e5867',
    'small_odd.png.clip224.png': '2a3febd233b607f31106786b7f8e613dcfeeff4e9993a505b0e56786dd2d47ff',
    'small_odd.png.sam512.png': '72833920c7859c9f607ae3541dfb1e4d164ec9d4039871d52231944f72363f20',
    'tall.png': '6f039bca71338e49cdb98b94e17b97bf2dca9526b4d77e71fb042da95f84bb9d',
    'tall.png.clip224.png': '4ee5bf2c2279a9329121072afe250ee9f159818a8966b3ecf5e0c72bded33e0c',
    'tall.png.sam512.png': 'b4ff2fefd55a2b73c47fe417c79cd1092d2e6dbac83e8f3cb3a6ddbf238daf05',
    'truck.jpg': '941715e721c8864324a1425b445ea4dde0498b995c45ddce0141a58971c6ff99',
    'truck.jpg.clip224.png': '560825a9a166942b443595331b5b887edb409e62a97dd597a1208bfe31ce41b5',
    'truck.jpg.sam512.png': 'ab06c947eb6dc17aebdeda804022dfc29744c49fa576b6af58b1d22beaf47a49',
  },
};
