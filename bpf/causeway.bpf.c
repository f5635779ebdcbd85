// The kernel side of the eBPF source: two programs, at the entry and the exit of every system call. At the entry they remember what only exists then (the
// caller's names, the file behind a descriptor that is about to be closed); at the exit they complete one kernel record (layout/kernel-record.ts) and
// hand it to the ring, for success and for failure. Which call means what is in a table that user space fills (layout/kernel-call.ts).
//
// Not seen: calls of 32-bit programs (other numbers, other structures); descriptors that execve closes; and of tasks in another mount namespace, calls with
// absolute names (open excepted: it has a file in the end). What such tasks do below a watched root through descriptors and relative names is seen, with
// the path that the root has for the engine.
#include "emit.h"
#include "name.h"

#define AT_REMOVEDIR 0x200
#define AT_EMPTY_PATH 0x1000
#define MOVE_MOUNT_F_EMPTY_PATH 0x4
#define O_WRONLY 01
#define O_RDWR 02
#define O_CREAT 0100
#define O_TRUNC 01000
#define CLOSE_RANGE_UNSHARE 2
/** fs/file.c: sysctl_nr_open, unless an administrator has raised it. */
#define FDS_MAX (1 << 20)
#define FDS_PER_WORD 64
/** include/linux/fs.h; the same bit since 5.0. */
#define FMODE_CREATED 0x100000
/** arch/x86/include/asm/thread_info.h and arch/arm64/include/asm/thread_info.h. */
#define TS_COMPAT_X86 0x2
#define TIF_32BIT_ARM64 (1u << 22)
/** Restart codes that never reach the caller (include/linux/errno.h); it sees EINTR, or the call is made again. */
/** In place of a system call's number while an exception (a page fault) is handled. */
#define NO_CALL (-1)
#define RESTART_FIRST 512
#define RESTART_LAST 516
#define EINTR 4

static __always_inline bool task_is_compat(void) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct task_struct___x86 *x86 = (void *)task;
  if (bpf_core_field_exists(x86->thread_info.status)) return x86->thread_info.status & TS_COMPAT_X86;
  return task->thread_info.flags & TIF_32BIT_ARM64;
}

static __always_inline void arguments_read(struct scratch *s, struct pt_regs *regs) {
  struct pt_regs___x86 *x86 = (void *)regs;
  struct pt_regs___arm64 *arm64 = (void *)regs;
  if (bpf_core_field_exists(x86->orig_ax)) {
    s->arguments[0] = x86->di;
    s->arguments[1] = x86->si;
    s->arguments[2] = x86->dx;
    s->arguments[3] = x86->r10;
    s->arguments[4] = x86->r8;
    s->arguments[5] = x86->r9;
  } else {
    s->arguments[0] = arm64->regs[0];
    s->arguments[1] = arm64->regs[1];
    s->arguments[2] = arm64->regs[2];
    s->arguments[3] = arm64->regs[3];
    s->arguments[4] = arm64->regs[4];
    s->arguments[5] = arm64->regs[5];
  }
}

static __always_inline u32 call_number(struct pt_regs *regs) {
  struct pt_regs___x86 *x86 = (void *)regs;
  struct pt_regs___arm64 *arm64 = (void *)regs;
  if (bpf_core_field_exists(x86->orig_ax)) return x86->orig_ax;
  return arm64->syscallno;
}

static __always_inline u64 argument(struct scratch *s, u8 index) {
  return index == CALL_ARGUMENT_NONE ? 0 : s->arguments[index & 7];
}

static __always_inline bool task_is_wanted(const struct settings *settings) {
  u32 pid = task_ids() >> 32;
  if (pid == settings->own_pid && pid) return false;
  return settings->pid_count == 0 || bpf_map_lookup_elem(&tracked_pids, &pid);
}

// Puts path and identity of scratch.file into the draft, as its first or second. 0 when the file is not ours to report.
GLOBAL int file_describe(u32 second) {
  struct scratch *s = scratch_get();
  if (!s || !s->file) return 0;
  struct file *file = AT(file, s->file);
  struct inode *inode = GET(file, f_inode);
  u32 mode = GET(inode, i_mode);
  if (!mode_is_ours(mode)) return 0;
  s->from.dentry = (u64)GET(file, f_path.dentry);
  s->from.mount = (u64)GET(file, f_path.mnt);
  if (!path_is_inside()) {
    count_filtered();
    return 0;
  }
  path_build(0);
  text_append_walk(s);
  struct record *record = &s->draft.record;
  struct operation *operation = &s->operation;
  u32 flags = s->walk_flags;
  if (second) {
    record->path2_length = walk_length(s);
    operation->inode2 = (u64)inode;
    operation->inode2_number = GET(inode, i_ino);
    operation->device2 = inode_device(inode);
    operation->size2 = GET(inode, i_size);
    operation->mode2 = mode;
    if (flags & KERNEL_FLAG_PATH_TRUNCATED) operation->state |= OPERATION_FLAGS2_TRUNCATED;
    if (flags & KERNEL_FLAG_PATH_DELETED) operation->state |= OPERATION_FLAGS2_DELETED;
    return 1;
  }
  record->path_length = walk_length(s);
  if ((mode & S_IFMT) == S_IFDIR) flags |= KERNEL_FLAG_DIRECTORY;
  record->flags |= flags;
  operation->inode = (u64)inode;
  record->inode = GET(inode, i_ino);
  record->device = inode_device(inode);
  record->size = GET(inode, i_size);
  record->mode = mode;
  return 1;
}

// Puts the file of a descriptor into the draft.
static __always_inline bool fd_describe(struct scratch *s, u32 fd, u32 second) {
  return file_of(s, fd) && file_describe(second);
}

// Puts one name of the call into the draft.
GLOBAL int name_describe(u32 dir, u32 path, u32 which) {
  struct scratch *s = scratch_get();
  if (!s) return PLACE_OUTSIDE;
  u32 second = which & 1;
  bool empty_allowed = which & 2;
  u64 pointer = argument(s, path);
  u32 status = name_read(s, pointer);
  if (status == PLACE_UNREAD && !(empty_allowed && pointer == 0)) return PLACE_UNREAD;
  bool has_dir = dir != CALL_ARGUMENT_NONE;
  u32 dirfd = argument(s, dir);
  if (s->name_length == 0 && empty_allowed && has_dir && (s32)dirfd != AT_FDCWD) {
    return fd_describe(s, dirfd, second) ? PLACE_INSIDE : PLACE_OUTSIDE;
  }
  return base_find(s, has_dir, dirfd) ? name_place(second) : PLACE_OUTSIDE;
}

static __always_inline u32 places_join(u32 first, u32 second) {
  if (first == PLACE_UNREAD || second == PLACE_UNREAD) return PLACE_UNREAD;
  if (first == PLACE_INSIDE || second == PLACE_INSIDE) return PLACE_INSIDE;
  return first == PLACE_UNDECIDED || second == PLACE_UNDECIDED ? PLACE_UNDECIDED : PLACE_OUTSIDE;
}

static __always_inline void draft_clear(struct scratch *s) {
  __builtin_memset(&s->draft.record, 0, sizeof(s->draft.record));
  s->text_length = 0;
}

// Puts the names of a call that works on names into the draft: at the entry, and again at the exit if the caller's memory was not resident then.
static __noinline u32 names_describe(struct scratch *s, struct call *call) {
  if (!s || !call) return PLACE_OUTSIDE;
  u32 shape = call->shape;
  u32 place, place2;
  u32 empty = 0;
  draft_clear(s);
  if (call->at_flags != CALL_ARGUMENT_NONE) {
    u32 bit = call->variant == KERNEL_VARIANT_MOVE_MOUNT ? MOVE_MOUNT_F_EMPTY_PATH : AT_EMPTY_PATH;
    if (argument(s, call->at_flags) & bit) empty = 2;
  }
  if (shape == CALL_SHAPE_NAMES) {
    place = name_describe(call->dir, call->path, empty);
    if (place == PLACE_UNREAD) return place;
    place2 = name_describe(call->dir2, call->path2, 1);
    return places_join(place, place2);
  }
  place = name_describe(call->dir, call->path, shape == CALL_SHAPE_NAME ? empty : 0);
  if (place == PLACE_UNREAD || shape == CALL_SHAPE_NAME) return place;
  if (shape == CALL_SHAPE_MOUNT) {
    u32 relation = name_relation();
    if (relation & RELATION_ABOVE_ROOT) place = PLACE_INSIDE;
    if (call->dir2 != CALL_ARGUMENT_NONE) {
      place2 = name_describe(call->dir2, call->path2, 1 | empty);
      return place2 == PLACE_UNREAD ? place2 : place;
    }
    if (call->path2 == CALL_ARGUMENT_NONE) return place;
  }
  // The text: what a symbolic link contains, or the name of what is mounted (which may be nothing).
  u32 status = name_read(s, argument(s, call->path2));
  if (status == PLACE_UNREAD && (shape == CALL_SHAPE_SYMLINK || argument(s, call->path2))) return PLACE_UNREAD;
  text_append(s, s->name, s->name_length);
  s->draft.record.path2_length = s->name_length;
  return place;
}

// The call's own argument, and what depends on it.
static __always_inline void argument_describe(struct scratch *s, struct call *call) {
  struct record *record = &s->operation.record;
  u64 value = argument(s, call->argument);
  if (call->pair) {
    value = value << 32 | (u32)argument(s, call->argument + 1);
  } else if (call->options & CALL_OPTION_ARGUMENT_32) {
    value = (u32)value;
  }
  if (call->options & CALL_OPTION_CREAT) value = O_CREAT | O_WRONLY | O_TRUNC;
  if (call->options & CALL_OPTION_OPEN_HOW) value = s->arguments[6];
  record->argument = value;
  record->op = call->op;
  record->variant = call->variant;
  if (call->op == KERNEL_OP_DIR_CREATE || call->op == KERNEL_OP_DIR_DELETE || call->op == KERNEL_OP_DIR_READ) {
    record->flags |= KERNEL_FLAG_DIRECTORY;
  }
  if ((call->options & CALL_OPTION_REMOVEDIR) && (argument(s, call->at_flags) & AT_REMOVEDIR)) {
    record->op = KERNEL_OP_DIR_DELETE;
    record->flags |= KERNEL_FLAG_DIRECTORY;
  }
}

static __always_inline u64 thread_id(void) {
  return (u32)bpf_get_current_pid_tgid();
}

static __always_inline struct operation *operation_get(u64 flags) {
  return bpf_task_storage_get(&operations, bpf_get_current_task_btf(), 0, flags);
}

// Remembers the draft until the exit.
static __always_inline void operation_remember(struct scratch *s, struct call *call, u32 number) {
  struct operation *operation = operation_get(BPF_LOCAL_STORAGE_GET_F_CREATE);
  if (!operation) {
    COUNT(dropped_table_full);
    return;
  }
  u32 length = s->text_length;
  s->operation.record = s->draft.record;
  argument_describe(s, call);
  __builtin_memcpy(operation, &s->operation, __builtin_offsetof(struct operation, text));
  __builtin_memcpy(operation->arguments, s->arguments, sizeof(operation->arguments));
  operation->text_length = length;
  if (length > TEXT_SHORT_MASK) {
    u64 tid = thread_id();
    operation->state |= OPERATION_LONG;
    if (bpf_map_update_elem(&long_texts, &tid, &s->draft, BPF_ANY)) {
      COUNT(dropped_table_full);
      return;
    }
  } else if (length > 0) {
    bpf_probe_read_kernel(operation->text, MASKED(length, TEXT_SHORT_MASK), s->draft.text);
  }
  operation->entry_ns = bpf_ktime_get_ns();
  operation->call = number + 1;
}

static __always_inline void operation_clear(struct scratch *s) {
  __builtin_memset(&s->operation, 0, __builtin_offsetof(struct operation, text));
  draft_clear(s);
}

// A name that an open failed with is wanted; one that it succeeded with is not, the file is there then.
static __always_inline bool open_prepare(struct scratch *s, struct call *call) {
  struct operation *operation = &s->operation;
  if (call->options & CALL_OPTION_OPEN_HOW) {
    u64 flags = 0;
    bpf_probe_read_user(&flags, sizeof(flags), (const void *)argument(s, call->argument));
    s->arguments[6] = flags;
  }
  if (name_read(s, argument(s, call->path)) == PLACE_UNREAD) {
    operation->state |= OPERATION_UNREAD;
    return true;
  }
  if (!base_find(s, call->dir != CALL_ARGUMENT_NONE, argument(s, call->dir))) operation->state |= OPERATION_NO_BASE;
  operation->base = s->from;
  text_append(s, s->name, s->name_length);
  return true;
}

struct vma_file {
  u64 file;
};

static long vma_step(struct task_struct *task, struct vm_area_struct *vma, struct vma_file *found) {
  found->file = (u64)GET(vma, vm_file);
  return 0;
}

// Descriptors that end all at once. close_range cannot fail once its arguments are good, and neither can the end of a process: so what ends is reported
// before it does, one record a descriptor.
struct range {
  struct scratch *scratch;
  u64 now;
  u64 open_fds;
  u64 word;
  u32 first;
  /** Inclusive. */
  u32 last;
  u32 base;
  u32 variant;
};

static long range_bit(u32 bit, struct range *r) {
  struct scratch *s = r->scratch;
  if (!(r->word >> (bit & 63))) return 1;
  u32 fd = r->base + bit;
  if (!(r->word >> (bit & 63) & 1) || fd < r->first || fd > r->last) return 0;
  draft_clear(s);
  if (!fd_describe(s, fd, 0)) return 0;
  struct record *record = &s->draft.record;
  record->op = KERNEL_OP_FILE_CLOSE;
  record->variant = r->variant;
  record->time_ns = r->now;
  record_set_task(record);
  record_submit(record, s->text_length, TEXT_LENGTH - 1);
  return 0;
}

static long range_word(u32 index, struct range *r) {
  u32 word = r->first / FDS_PER_WORD + index;
  r->base = word * FDS_PER_WORD;
  if (r->base > r->last) return 1;
  r->word = word_at(r->scratch, r->open_fds + word * sizeof(u64));
  if (r->word) bpf_loop(FDS_PER_WORD, range_bit, r, 0);
  return 0;
}

static __noinline void range_close(struct scratch *s, u32 first, u32 last, u32 variant) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = GET(task, files);
  struct fdtable *table = GET(files, fdt);
  u32 fds = GET(table, max_fds);
  if (!s || fds == 0) return;
  struct range r = {
      .scratch = s,
      .now = bpf_ktime_get_ns(),
      .open_fds = number_of(s, GET(table, open_fds)),
      .first = first,
      .last = last < fds ? last : fds - 1,
      .variant = variant,
  };
  bpf_loop(FDS_MAX / FDS_PER_WORD, range_word, &r, 0);
}

static __always_inline bool close_range(struct scratch *s) {
  u32 first = s->arguments[0], last = s->arguments[1], flags = s->arguments[2];
  // With CLOSE_RANGE_CLOEXEC, descriptors are marked, not closed.
  if (first <= last && !(flags & ~CLOSE_RANGE_UNSHARE)) range_close(s, first, last, KERNEL_VARIANT_CLOSE_RANGE);
  return false;
}

// Fills the draft by the shape of the call. True when there is something to remember.
static __always_inline bool call_enter(struct scratch *s, struct call *call) {
  struct operation *operation = &s->operation;
  u32 shape = call->shape;
  if (shape == CALL_SHAPE_FD || shape == CALL_SHAPE_CLOSE) {
    return fd_describe(s, argument(s, call->dir), 0);
  }
  if (shape == CALL_SHAPE_OPEN) return open_prepare(s, call);
  if (shape == CALL_SHAPE_OPEN_BY_HANDLE || shape == CALL_SHAPE_SYNC) return true;
  if (shape == CALL_SHAPE_CLOSE_RANGE) return close_range(s);
  if (shape == CALL_SHAPE_DUP) {
    u32 ends = argument(s, call->dir), becomes = argument(s, call->dir2);
    return ends != becomes && file_of(s, becomes) && fd_describe(s, ends, 0);
  }
  if (shape == CALL_SHAPE_TRANSFER) {
    if (fd_describe(s, argument(s, call->dir), 0)) operation->state |= OPERATION_READS;
    if (fd_describe(s, argument(s, call->dir2), 1)) operation->state |= OPERATION_WRITES;
    return operation->state != 0;
  }
  if (shape == CALL_SHAPE_MSYNC) {
    struct vma_file found = {};
    bpf_find_vma(bpf_get_current_task_btf(), argument(s, call->dir), vma_step, &found, 0);
    s->file = found.file;
    return file_describe(0);
  }
  u32 place = names_describe(s, call);
  if (place == PLACE_UNREAD) operation->state |= OPERATION_UNREAD;
  if (place == PLACE_UNDECIDED) s->draft.record.flags |= KERNEL_FLAG_UNDECIDED;
  if (place == PLACE_OUTSIDE) count_filtered();
  return place != PLACE_OUTSIDE;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long id) {
  u32 number = id;
  struct call *call = bpf_map_lookup_elem(&calls, &number);
  if (!call || call->shape == CALL_SHAPE_NONE) return 0;
  struct settings *settings = settings_get();
  if (!settings || !(settings->op_mask & call->op_mask)) return 0;
  if (!task_is_wanted(settings) || task_is_compat()) return 0;
  struct scratch *s = scratch_take();
  if (!s) return 0;
  arguments_read(s, regs);
  operation_clear(s);
  if (call_enter(s, call)) operation_remember(s, call, number);
  scratch_release(s);
  return 0;
}

// Size and mode after the call, if the inode still is the one that was described.
static __always_inline void file_refresh(struct record *record, u64 inode_address) {
  struct inode *inode = AT(inode, inode_address);
  if (!inode_address || GET(inode, i_ino) != record->inode || inode_device(inode) != record->device) return;
  record->size = GET(inode, i_size);
  record->mode = GET(inode, i_mode);
}

static __always_inline void record_set_result(struct record *record, struct operation *operation, u64 now, s64 result) {
  record->time_ns = now;
  record->duration_ns = now - operation->entry_ns;
  if (result < 0) {
    u32 error = -result;
    record->error = error >= RESTART_FIRST && error <= RESTART_LAST ? EINTR : error;
  }
  record_set_task(record);
}

// An open: its file if it succeeded, its name if not.
static __noinline u32 open_finish(struct scratch *s, struct operation *operation, struct call *call, s64 result) {
  if (!s || !operation || !call) return 0;
  struct record *record = &s->draft.record;
  draft_clear(s);
  if (result >= 0) {
    if (!fd_describe(s, result, 0)) return 0;
    struct file *file = AT(file, s->file);
    record->op = GET(file, f_mode) & FMODE_CREATED ? KERNEL_OP_FILE_CREATE : KERNEL_OP_FILE_OPEN;
    return 1;
  }
  if (call->shape == CALL_SHAPE_OPEN_BY_HANDLE) {
    // Without a name, all that is known of a failure is the mount that the handle was for.
    if (!fd_describe(s, operation->arguments[0], 0)) return 0;
    record->flags |= KERNEL_FLAG_PATH_BY_NAME;
    return 1;
  }
  if (operation->state & OPERATION_NO_BASE) return 0;
  u32 length = operation->text_length;
  if (operation->state & OPERATION_UNREAD) {
    if (name_read(s, operation->arguments[call->path & 3]) == PLACE_UNREAD) return 0;
    u32 dirfd = call->dir == CALL_ARGUMENT_NONE ? AT_FDCWD : operation->arguments[call->dir & 3];
    if (!base_find(s, true, dirfd)) return 0;
  } else {
    if (operation->state & OPERATION_LONG) {
      u64 tid = thread_id();
      struct long_text *text = bpf_map_lookup_elem(&long_texts, &tid);
      if (!text) return 0;
      bpf_probe_read_kernel(s->name, MASKED(length, PATH_LENGTH_MAX), text->text);
    } else {
      bpf_probe_read_kernel(s->name, MASKED(length, TEXT_SHORT_MASK), operation->text);
    }
    s->name[MASKED(length, PATH_LENGTH_MAX)] = 0;
    s->name_length = length;
    s->from = operation->base;
  }
  u32 place = name_place(0);
  // Programs look for files in vain all the time. A name that begins outside can only lead inside through a symbolic link or `..`: a failed open is worth
  // user space's time then if it wanted to change something, and was not just any name in a directory outside.
  u32 flags = operation->record.argument;
  bool wants_change = flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC);
  bool may_lead_inside = s->walk_inside || (wants_change && (s->name[0] == '/' || name_has_dots()));
  if (place == PLACE_OUTSIDE || (place == PLACE_UNDECIDED && !may_lead_inside)) {
    count_filtered();
    return 0;
  }
  if (place == PLACE_UNDECIDED) record->flags |= KERNEL_FLAG_UNDECIDED;
  record->op = KERNEL_OP_FILE_OPEN;
  return 1;
}

// Hands over what was remembered: from the table of long texts if it is there.
static __noinline u32 operation_submit(struct operation *operation, u64 key) {
  if (!operation) return 0;
  u32 length = operation->text_length;
  if (operation->state & OPERATION_LONG) {
    struct long_text *text = bpf_map_lookup_elem(&long_texts, &key);
    if (!text) return 0;
    text->record = operation->record;
    record_submit(&text->record, length, TEXT_LENGTH - 1);
  } else {
    record_submit(&operation->record, length, TEXT_SHORT_MASK);
  }
  return 0;
}

// One end of a transfer, built in the draft.
static __noinline u32 transfer_submit(struct scratch *s, struct operation *operation, u32 second) {
  if (!s || !operation) return 0;
  u64 tid = thread_id();
  struct record *record = &s->draft.record;
  const char *text = operation->text;
  if (operation->state & OPERATION_LONG) {
    struct long_text *found = bpf_map_lookup_elem(&long_texts, &tid);
    if (!found) return 0;
    // The compiler would add the offset before the check, which the verifier refuses.
    asm volatile("" : "+r"(found));
    text = found->text;
  }
  *record = operation->record;
  s->text_length = 0;
  u32 first_length = MASKED(record->path_length, PATH_LENGTH_MAX);
  if (second) {
    text_append(s, text + first_length, record->path2_length);
    record->op = KERNEL_OP_FILE_WRITE;
    record->path_length = record->path2_length;
    record->inode = operation->inode2_number;
    record->device = operation->device2;
    record->size = operation->size2;
    record->mode = operation->mode2;
    record->flags &= KERNEL_FLAG_PID_UNKNOWN;
    if (operation->state & OPERATION_FLAGS2_TRUNCATED) record->flags |= KERNEL_FLAG_PATH_TRUNCATED;
    if (operation->state & OPERATION_FLAGS2_DELETED) record->flags |= KERNEL_FLAG_PATH_DELETED;
    file_refresh(record, operation->inode2);
  } else {
    text_append(s, text, record->path_length);
    record->op = KERNEL_OP_FILE_READ;
    file_refresh(record, operation->inode);
  }
  record->path2_length = 0;
  record_submit(record, s->text_length, TEXT_LENGTH - 1);
  return 0;
}

static __noinline u32 call_exit(struct scratch *s, struct operation *operation, struct call *call, u64 now, s64 result) {
  if (!s || !operation || !call) return 0;
  struct settings *settings = settings_get();
  if (!settings) return 0;
  u32 shape = call->shape;
  if (shape == CALL_SHAPE_OPEN || shape == CALL_SHAPE_OPEN_BY_HANDLE) {
    if (!open_finish(s, operation, call, result)) return 0;
    struct record *record = &s->draft.record;
    if (!(settings->op_mask >> (record->op & 31) & 1)) return 0;
    record->variant = call->variant;
    record->argument = operation->record.argument;
    record_set_result(record, operation, now, result);
    record_submit(record, s->text_length, TEXT_LENGTH - 1);
    return 0;
  }
  if (shape == CALL_SHAPE_DUP && result < 0) return 0;
  if (operation->state & OPERATION_UNREAD) {
    // The exit's turn: the kernel has read the names itself in between, so they are resident now.
    __builtin_memcpy(s->arguments, operation->arguments, sizeof(operation->arguments));
    u32 place = names_describe(s, call);
    if (place == PLACE_UNREAD || place == PLACE_OUTSIDE) return 0;
    struct record *record = &s->draft.record;
    if (place == PLACE_UNDECIDED) record->flags |= KERNEL_FLAG_UNDECIDED;
    record->op = operation->record.op;
    record->variant = operation->record.variant;
    record->argument = operation->record.argument;
    record->flags |= operation->record.flags;
    record_set_result(record, operation, now, result);
    record_submit(record, s->text_length, TEXT_LENGTH - 1);
    return 0;
  }
  struct record *record = &operation->record;
  record_set_result(record, operation, now, result);
  if (call->options & CALL_OPTION_AMOUNT && result > 0) record->amount = result;
  if (shape == CALL_SHAPE_TRANSFER) {
    if (operation->state & OPERATION_READS && settings->op_mask >> KERNEL_OP_FILE_READ & 1) transfer_submit(s, operation, 0);
    if (operation->state & OPERATION_WRITES && settings->op_mask >> KERNEL_OP_FILE_WRITE & 1) transfer_submit(s, operation, 1);
    return 0;
  }
  if (!(settings->op_mask >> (record->op & 31) & 1)) return 0;
  // Closing changes neither; and of a deleted file the inode may be empty by now.
  if (record->op != KERNEL_OP_FILE_CLOSE) file_refresh(record, operation->inode);
  return operation_submit(operation, thread_id());
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result) {
  u64 now = bpf_ktime_get_ns();
  u32 number = call_number(regs);
  struct call *call = bpf_map_lookup_elem(&calls, &number);
  if (!call || call->shape == CALL_SHAPE_NONE) return 0;
  struct operation *operation = operation_get(0);
  if (!operation || operation->call == 0) return 0;
  if (operation->call == number + 1) {
    struct scratch *s = scratch_take();
    if (s) {
      call_exit(s, operation, call, now, result);
      scratch_release(s);
    }
  }
  operation->call = 0;
  if (operation->state & OPERATION_LONG) {
    u64 tid = thread_id();
    bpf_map_delete_elem(&long_texts, &tid);
  }
  return 0;
}

#include "process.h"

#include "mmap.h"
#include "resolve.h"
#include "uring.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
