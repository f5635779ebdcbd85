// libbpf.so.1 through koffi: the dozen calls that the loader needs.

import { createRequire } from 'node:module';
import { CausewayError, messageOf } from '../../base/errors.ts';

/** A C pointer. 0n and null are NULL. */
export type Handle = bigint | null;

/** Calls answer as in C: NULL with errno, or a negative errno. */
export interface Libbpf {
  version(): string;
  /** Room for the verifier's words is `log`; only a load that fails writes there. */
  open(elf: Uint8Array, log: Uint8Array): Handle;
  load(object: Handle): number;
  closeObject(object: Handle): void;
  findProgram(object: Handle, name: string): Handle;
  setAutoload(program: Handle, autoload: boolean): number;
  programFd(program: Handle): number;
  attach(program: Handle): Handle;
  destroyLink(link: Handle): number;
  findMap(object: Handle, name: string): Handle;
  setMaxEntries(map: Handle, count: number): number;
  mapFd(map: Handle): number;
  updateElement(map: number, key: Uint8Array, value: Uint8Array, flags: bigint): number;
  lookupElement(map: number, key: Uint8Array, value: Uint8Array): number;
  /** Runs a program of type "syscall" once, with this context; it may write its answer there. */
  run(program: number, context: Uint8Array): { status: number; result: number };
  objectInfo(fd: number, info: Uint8Array): number;
  /** The running kernel's types; NULL with errno. */
  loadKernelTypes(): Handle;
  /** Type id, or a negative errno. */
  findType(types: Handle, name: string, kind: number): number;
  /** linux/btf.h, struct btf_type: its second and third word, `info` and `size` or `type`. undefined: no such type. */
  typeOf(types: Handle, id: number): { info: number; type: number } | undefined;
  freeTypes(types: Handle): void;
  errno(): number;
}

const LIBRARY = 'libbpf.so.1';
/** tools/lib/bpf/libbpf.h: struct bpf_object_open_opts; bpf.h: struct bpf_test_run_opts. Both grow at their ends, and say how long they are. */
const OPEN_OPTIONS = {
  sz: 'size_t',
  object_name: 'const char *',
  relaxed_maps: 'bool',
  pin_root_path: 'void *',
  // An unnamed field where attach_prog_fd was until libbpf 1.0.
  reserved: 'uint32_t',
  kconfig: 'void *',
  btf_custom_path: 'void *',
  kernel_log_buf: 'void *',
  kernel_log_size: 'size_t',
  kernel_log_level: 'uint32_t',
};
const RUN_OPTIONS = {
  sz: 'size_t',
  data_in: 'void *',
  data_out: 'void *',
  data_size_in: 'uint32_t',
  data_size_out: 'uint32_t',
  ctx_in: 'void *',
  ctx_out: 'void *',
  ctx_size_in: 'uint32_t',
  ctx_size_out: 'uint32_t',
  retval: 'uint32_t',
  repeat: 'int',
  duration: 'uint32_t',
  flags: 'uint32_t',
  cpu: 'uint32_t',
  batch_size: 'uint32_t',
};

let loaded: Libbpf | undefined;

/** @throws CausewayError CAPABILITY_MISSING when the library (or koffi) is not there. */
export function loadLibbpf(): Libbpf {
  if (loaded !== undefined) return loaded;
  try {
    loaded = bind();
  } catch (error) {
    throw new CausewayError('CAPABILITY_MISSING', `${LIBRARY} cannot be loaded: ${messageOf(error)}`, {
      hint: 'Install it: sudo apt-get install -y libbpf1',
      cause: error,
    });
  }
  return loaded;
}

function bind(): Libbpf {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = koffi.load(LIBRARY);
  const bytes = koffi.pointer('uint8_t');
  const openOptions = koffi.struct(OPEN_OPTIONS);
  const runOptions = koffi.struct(RUN_OPTIONS);
  const open = library.func('bpf_object__open_mem', 'void *', [bytes, 'size_t', koffi.pointer(openOptions)]);
  const run = library.func('bpf_prog_test_run_opts', 'int', ['int', koffi.inout(koffi.pointer(runOptions))]);
  const info = library.func('bpf_obj_get_info_by_fd', 'int', ['int', bytes, bytes]);
  const typeById = library.func('void *btf__type_by_id(void *types, uint32_t id)');
  const setPrint = library.func('void *libbpf_set_print(void *print)');
  // libbpf writes to stderr by itself otherwise; its callback is variadic, which cannot be had here.
  setPrint(null);
  return {
    version: library.func('const char *libbpf_version_string()') as Libbpf['version'],
    open: (elf, log) =>
      open(elf, elf.length, { ...OPEN_NOTHING, ...logOptions(koffi.sizeof(openOptions), log) }) as Handle,
    load: library.func('int bpf_object__load(void *object)') as Libbpf['load'],
    closeObject: library.func('void bpf_object__close(void *object)') as Libbpf['closeObject'],
    findProgram: library.func(
      'void *bpf_object__find_program_by_name(void *object, const char *name)',
    ) as Libbpf['findProgram'],
    setAutoload: library.func('int bpf_program__set_autoload(void *program, bool autoload)') as Libbpf['setAutoload'],
    programFd: library.func('int bpf_program__fd(void *program)') as Libbpf['programFd'],
    attach: library.func('void *bpf_program__attach(void *program)') as Libbpf['attach'],
    destroyLink: library.func('int bpf_link__destroy(void *link)') as Libbpf['destroyLink'],
    findMap: library.func('void *bpf_object__find_map_by_name(void *object, const char *name)') as Libbpf['findMap'],
    setMaxEntries: library.func('int bpf_map__set_max_entries(void *map, uint32_t count)') as Libbpf['setMaxEntries'],
    mapFd: library.func('int bpf_map__fd(void *map)') as Libbpf['mapFd'],
    updateElement: library.func('bpf_map_update_elem', 'int', [
      'int',
      bytes,
      bytes,
      'uint64_t',
    ]) as Libbpf['updateElement'],
    lookupElement: library.func('bpf_map_lookup_elem', 'int', ['int', bytes, bytes]) as Libbpf['lookupElement'],
    run: (program, context) => {
      const options = { ...RUN_NOTHING, sz: koffi.sizeof(runOptions), ctx_in: context, ctx_size_in: context.length };
      const status = run(program, options) as number;
      return { status, result: options.retval };
    },
    objectInfo: (fd, buffer) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(buffer.length);
      return info(fd, buffer, length) as number;
    },
    loadKernelTypes: library.func('void *btf__load_vmlinux_btf()') as Libbpf['loadKernelTypes'],
    findType: library.func(
      'int btf__find_by_name_kind(void *types, const char *name, uint32_t kind)',
    ) as Libbpf['findType'],
    typeOf: (types, id) => {
      const address = typeById(types, id) as Handle;
      if (address === null) return undefined;
      const [, info, type] = koffi.decode(address, koffi.array('uint32_t', 3)) as [number, number, number];
      return { info, type };
    },
    freeTypes: library.func('void btf__free(void *types)') as Libbpf['freeTypes'],
    errno: () => koffi.errno(),
  };
}

const OPEN_NOTHING = { relaxed_maps: false, pin_root_path: null, reserved: 0, kconfig: null, btf_custom_path: null };

function logOptions(length: number, log: Uint8Array): Record<string, unknown> {
  // Level 0: the kernel is asked for its log only after it has refused, in a second try.
  return { sz: length, object_name: 'causeway', kernel_log_buf: log, kernel_log_size: log.length, kernel_log_level: 0 };
}

const RUN_NOTHING = {
  data_in: null,
  data_out: null,
  data_size_in: 0,
  data_size_out: 0,
  ctx_out: null,
  ctx_size_out: 0,
  retval: 0,
  repeat: 0,
  duration: 0,
  flags: 0,
  cpu: 0,
  batch_size: 0,
};
