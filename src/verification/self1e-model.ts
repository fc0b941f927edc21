/** SELF1E's whole model against the reference on small random weights, on the engine in use. */
import { Self1eCase } from './self1e-case.js';
import { verifySelf1eForward } from './self1e-forward.js';
import { verifySelf1eTraining } from './self1e-training.js';
import type { VerifyItem } from './verify-item.js';

/** @throws UserError where a file or a part of it is missing or malformed */
export async function verifySelf1eModel(dir: string): Promise<VerifyItem[]> {
  const recorded = new Self1eCase(dir);
  const network = recorded.buildModel();
  try {
    const forward = await verifySelf1eForward(network, recorded);
    // Last: it changes the weights.
    return [...forward, ...(await verifySelf1eTraining(network, recorded))];
  } finally {
    network.dispose();
  }
}
