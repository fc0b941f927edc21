/** Resources of this machine: memory and processors, a container's limits of both, room on a disk, graphics cards. */
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { freemem, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';

/** Bytes. */
export interface MachineMemory {
  readonly total: number;
  /** Bytes that a new process can have without swapping. */
  readonly available: number;
  /** Limit of the container that this runs in; null where there is none. */
  readonly containerLimit: number | null;
}

const CGROUP_FILES = [
  { limit: '/sys/fs/cgroup/memory.max', used: '/sys/fs/cgroup/memory.current' },
  { limit: '/sys/fs/cgroup/memory/memory.limit_in_bytes', used: '/sys/fs/cgroup/memory/memory.usage_in_bytes' },
];

export function machineMemory(): MachineMemory {
  const total = totalmem();
  const meminfo = /^MemAvailable:\s+(\d+) kB$/m.exec(textOf('/proc/meminfo'))?.[1];
  const available = meminfo === undefined ? freemem() : Number(meminfo) * 1024;
  for (const { limit, used } of CGROUP_FILES) {
    const [most, current] = [Number(textOf(limit).trim() || NaN), Number(textOf(used).trim() || NaN)];
    // "max", or a number beyond the machine's memory: no limit.
    if (!Number.isFinite(most) || most >= total) continue;
    const left = Number.isFinite(current) ? Math.max(0, most - current) : most;
    return { total, available: Math.min(available, left), containerLimit: most };
  }
  return { total, available, containerLimit: null };
}

/** Processors' worth of time that a container leaves to this process, such as 1.5; null where it sets no limit. */
export function containerProcessors(): number | null {
  const [quota, period] = textOf('/sys/fs/cgroup/cpu.max').trim().split(' ').map(Number);
  const [oldQuota, oldPeriod] = ['cpu.cfs_quota_us', 'cpu.cfs_period_us'].map((name) =>
    Number(textOf(`/sys/fs/cgroup/cpu/${name}`).trim() || NaN),
  );
  const share = [(quota ?? NaN) / (period ?? NaN), (oldQuota ?? NaN) / (oldPeriod ?? NaN)];
  return share.find((value) => Number.isFinite(value) && value > 0) ?? null;
}

/** Version of NVIDIA's driver, as Linux shows it; null where there is none to see. */
export function nvidiaDriver(): string | null {
  return /NVRM version:.*?\s(\d+\.\d+(?:\.\d+)?)/.exec(textOf('/proc/driver/nvidia/version'))?.[1] ?? null;
}

/** Bytes that may still be written where `path` is or will be; null where the system does not say. */
export function freeDisk(path: string): number | null {
  let existing = resolve(path);
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  try {
    const { bavail, bsize } = statfsSync(existing);
    return bavail * bsize;
  } catch {
    return null;
  }
}

/** '1.5 GiB', '180 MiB', '12 KiB'. */
export function bytesText(bytes: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];
  let [value, unit] = [bytes, 0];
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${value < 10 && unit > 2 ? value.toFixed(1) : value.toFixed(0)} ${units[unit] ?? ''}`;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
