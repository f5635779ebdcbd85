// Operations through io_uring: no system call has their arguments. A request is remembered by its address when it is submitted (by the thread that asked
// for it, or the ring's polling thread, which belongs to the same process), and reported when it completes, in whichever thread that happens.
//
// Not seen: splice; requests that were told to post no completion on success (IOSQE_CQE_SKIP_SUCCESS).
#ifndef CAUSEWAY_URING_H
#define CAUSEWAY_URING_H

/** io_uring_types.h: REQ_F_CQE_SKIP, from IOSQE_CQE_SKIP_SUCCESS_BIT. */
#define REQ_F_CQE_SKIP (1 << 6)

// Reads a name that the kernel has copied already.
static __always_inline void uring_name_read(struct scratch *s, u64 filename_address) {
  struct filename *filename = AT(filename, filename_address);
  s->name[0] = 0;
  long length = bpf_probe_read_kernel_str(s->name, PAGE_LENGTH, GET(filename, name));
  s->name_length = length > 0 ? (length - 1) & PATH_LENGTH_MAX : 0;
}

GLOBAL int uring_name_describe(u32 dirfd, u64 filename_address, u32 second) {
  struct scratch *s = scratch_get();
  if (!s) return PLACE_OUTSIDE;
  uring_name_read(s, filename_address);
  return base_find(s, true, dirfd) ? name_place(second) : PLACE_OUTSIDE;
}

// Puts the names of a request into the draft, and its argument into the operation. PLACE_OUTSIDE: nothing to remember.
static __always_inline u32 uring_describe(struct scratch *s, struct call *call, u64 request) {
  struct record *record = &s->operation.record;
  u32 shape = call->shape;
  if (shape == CALL_SHAPE_FD) return PLACE_INSIDE;
  if (shape == CALL_SHAPE_CLOSE) {
    struct io_close *close = AT(io_close, request);
    if (GET(close, file_slot)) return PLACE_OUTSIDE;
    return fd_describe(s, GET(close, fd), 0) ? PLACE_INSIDE : PLACE_OUTSIDE;
  }
  if (shape == CALL_SHAPE_OPEN) {
    struct io_open *open = AT(io_open, request);
    record->argument = GET(open, how.flags);
    return uring_name_describe(GET(open, dfd), number_of(s, GET(open, filename)), 0);
  }
  if (shape == CALL_SHAPE_NAMES) {
    // Renames and links have the same fields, in structures of their own.
    struct io_rename *rename = AT(io_rename, request);
    struct io_link *link = AT(io_link, request);
    bool is_rename = call->op == KERNEL_OP_FILE_RENAME;
    record->argument = (u32)(is_rename ? GET(rename, flags) : GET(link, flags));
    u64 old_name = number_of(s, is_rename ? GET(rename, oldpath) : GET(link, oldpath));
    u32 place = uring_name_describe(is_rename ? GET(rename, old_dfd) : GET(link, old_dfd), old_name, 0);
    u64 new_name = number_of(s, is_rename ? GET(rename, newpath) : GET(link, newpath));
    return places_join(place, uring_name_describe(is_rename ? GET(rename, new_dfd) : GET(link, new_dfd), new_name, 1));
  }
  if (shape == CALL_SHAPE_SYMLINK) {
    struct io_link *link = AT(io_link, request);
    u32 place = uring_name_describe(GET(link, new_dfd), number_of(s, GET(link, newpath)), 0);
    uring_name_read(s, number_of(s, GET(link, oldpath)));
    text_append(s, s->name, s->name_length);
    s->draft.record.path2_length = s->name_length;
    return place;
  }
  if (call->op == KERNEL_OP_DIR_CREATE) {
    struct io_mkdir *mkdir = AT(io_mkdir, request);
    record->argument = GET(mkdir, mode);
    return uring_name_describe(GET(mkdir, dfd), number_of(s, GET(mkdir, filename)), 0);
  }
  struct io_unlink *unlink = AT(io_unlink, request);
  record->argument = (u32)GET(unlink, flags);
  return uring_name_describe(GET(unlink, dfd), number_of(s, GET(unlink, filename)), 0);
}

static __always_inline void request_remember(struct scratch *s, struct call *call, u64 key, u32 opcode) {
  struct operation *operation = &s->operation;
  u64 argument = operation->record.argument;
  u32 length = s->text_length;
  operation->record = s->draft.record;
  struct record *record = &operation->record;
  record->argument = argument;
  record->op = call->op;
  record->variant = KERNEL_VARIANT_IO_URING;
  if (call->options & CALL_OPTION_REMOVEDIR && argument & AT_REMOVEDIR) record->op = KERNEL_OP_DIR_DELETE;
  if (record->op == KERNEL_OP_DIR_CREATE || record->op == KERNEL_OP_DIR_DELETE) record->flags |= KERNEL_FLAG_DIRECTORY;
  record_set_task(record);
  operation->call = opcode + 1;
  operation->text_length = length;
  if (length > TEXT_SHORT_MASK) {
    operation->state |= OPERATION_LONG;
    if (bpf_map_update_elem(&long_texts, &key, &s->draft, BPF_ANY)) {
      COUNT(dropped_table_full);
      return;
    }
  } else if (length > 0) {
    bpf_probe_read_kernel(operation->text, MASKED(length, TEXT_SHORT_MASK), s->draft.text);
  }
  operation->entry_ns = bpf_ktime_get_ns();
  if (bpf_map_update_elem(&requests, &key, operation, BPF_ANY)) COUNT(dropped_table_full);
}

SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_submit, struct io_kiocb *request) {
  u32 opcode = request->opcode;
  struct call *call = bpf_map_lookup_elem(&uring_calls, &opcode);
  struct settings *settings = settings_get();
  if (!call || call->shape == CALL_SHAPE_NONE || !settings || !(settings->op_mask & call->op_mask)) return 0;
  if (!task_is_wanted(settings) || request->flags & REQ_F_CQE_SKIP) return 0;
  struct scratch *s = scratch_take();
  if (!s) return 0;
  operation_clear(s);
  u64 key = number_of(s, request);
  u32 place = uring_describe(s, call, key);
  if (place == PLACE_UNDECIDED) s->draft.record.flags |= KERNEL_FLAG_UNDECIDED;
  if (place == PLACE_OUTSIDE) {
    count_filtered();
  } else {
    request_remember(s, call, key, opcode);
  }
  scratch_release(s);
  return 0;
}

// Describes the file that the request turned out to be about. False: what was remembered is all there is.
static __always_inline bool uring_file(struct scratch *s, struct io_kiocb *request, struct operation *operation, u32 shape, s32 result) {
  draft_clear(s);
  if (shape == CALL_SHAPE_FD) {
    s->file = number_of(s, GET(request, file));
    return file_describe(0);
  }
  // A new descriptor means something only in the table of the process that asked for it.
  return result >= 0 && operation->record.pid == task_ids() >> 32 && fd_describe(s, result, 0);
}

static __always_inline void request_finish(struct scratch *s, struct io_kiocb *request, struct operation *operation, struct call *call,
                                           u64 key, s32 result) {
  u64 now = bpf_ktime_get_ns();
  struct record *known = &operation->record;
  struct record *record = &s->draft.record;
  u32 shape = call->shape;
  known->time_ns = now;
  known->duration_ns = now - operation->entry_ns;
  if (result < 0) known->error = -result;
  if (call->options & CALL_OPTION_AMOUNT && result > 0) known->amount = result;
  struct io_open *open = AT(io_open, key);
  bool is_slot = shape == CALL_SHAPE_OPEN && GET(open, file_slot) != 0;
  if ((shape == CALL_SHAPE_FD || (shape == CALL_SHAPE_OPEN && !is_slot && result >= 0))) {
    if (!uring_file(s, request, operation, shape, result)) return;
    record->op = known->op;
    struct file *file = AT(file, s->file);
    if (shape == CALL_SHAPE_OPEN && GET(file, f_mode) & FMODE_CREATED) record->op = KERNEL_OP_FILE_CREATE;
    record->variant = known->variant;
    record->time_ns = now;
    record->duration_ns = known->duration_ns;
    record->amount = known->amount;
    record->argument = known->argument;
    record->error = known->error;
    record->pid = known->pid;
    record->tid = known->tid;
    record->uid = known->uid;
    record->gid = known->gid;
    __builtin_memcpy(record->comm, known->comm, sizeof(record->comm));
    record_submit(record, s->text_length, TEXT_LENGTH - 1);
    return;
  }
  operation_submit(operation, key);
}

// cqe: since 6.16 the third argument is the completion itself; before, it was taken apart (and the loader leaves this program out).
SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete, void *ring_context, struct io_kiocb *request, struct io_uring_cqe *cqe) {
  u64 key = (u64)ctx[1];
  struct operation *operation = bpf_map_lookup_elem(&requests, &key);
  if (!operation) return 0;
  u32 opcode = operation->call - 1;
  struct call *call = bpf_map_lookup_elem(&uring_calls, &opcode);
  struct scratch *s = call ? scratch_take() : 0;
  if (s) {
    request_finish(s, AT(io_kiocb, key), operation, call, key, cqe->res);
    scratch_release(s);
  }
  if (operation->state & OPERATION_LONG) bpf_map_delete_elem(&long_texts, &key);
  bpf_map_delete_elem(&requests, &key);
  return 0;
}

#endif
