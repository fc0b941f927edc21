/** The WASM backend as fast as this machine has it, for tests of what it alone does. */
import { type EngineInfo, startEngine } from '../../src/engine/engine.js';
import { UserError } from '../../src/errors.js';

/** What `engine` names; 'fastest WASM' is openblas where there is a BLAS library, else wasm. */
export async function startWasmEngine(engine = 'fastest WASM'): Promise<EngineInfo> {
  if (engine !== 'fastest WASM') return startEngine({ engine });
  try {
    return await startEngine({ engine: 'openblas' });
  } catch (error) {
    if (error instanceof UserError) return startEngine({ engine: 'wasm' });
    throw error;
  }
}
