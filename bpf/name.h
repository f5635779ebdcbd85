// Names as the caller wrote them: joined with the directory that they are relative to, and compared with the watched roots as far as the kernel can tell.
#ifndef CAUSEWAY_NAME_H
#define CAUSEWAY_NAME_H

#include "path.h"

#define AT_FDCWD (-100)

#define PLACE_OUTSIDE 0
#define PLACE_INSIDE 1
/** A symbolic link or a `..` may lead into a root, or out of it: user space decides. */
#define PLACE_UNDECIDED 2
/** The name could not be read. */
#define PLACE_UNREAD 3

#define WORD_LENGTH 8
#define DOTS 0x2e2e2e2e2e2e2e2eull

// The root directory of the engine itself: a task with another one (chroot, container) means something else by "/".
struct machine {
  u64 root_dentry;
  u64 root_mount;
};
ARRAY(machine_map, struct machine, 1, 0);

struct words {
  struct scratch *scratch;
  struct root_path *root;
  u32 length;
  u32 found;
};

// Bytes of a word that lie before the end.
static __always_inline u64 word_mask(u32 left) {
  return left >= WORD_LENGTH ? ~0ull : (1ull << (left * 8)) - 1;
}

static __always_inline u64 zero_bytes(u64 word) {
  return (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
}

// Two dots in a row somewhere in the name. More than `..` itself is found (`a..b`): then user space decides, and nothing is wrong.
static long dots_step(u32 index, struct words *w) {
  u32 at = index * WORD_LENGTH;
  if (at >= w->length) return 1;
  const char *name = w->scratch->name;
  u32 left = w->length - at;
  const char *word = name + MASKED(at, PAGE_LENGTH - 1);
  u64 here = *(const u64 *)word & word_mask(left);
  u64 next = *(const u64 *)(word + 1) & word_mask(left - 1);
  if (zero_bytes(here ^ DOTS) & zero_bytes(next ^ DOTS)) {
    w->found = 1;
    return 1;
  }
  return 0;
}

GLOBAL int name_has_dots(void) {
  struct scratch *s = scratch_get();
  if (!s) return 0;
  struct words w = {.scratch = s, .length = s->name_length};
  bpf_loop(PAGE_LENGTH / WORD_LENGTH, dots_step, &w, 0);
  return w.found;
}

static long differ_step(u32 index, struct words *w) {
  u32 at = index * WORD_LENGTH;
  if (at >= w->length) return 1;
  u32 place = MASKED(at, PAGE_LENGTH - WORD_LENGTH);
  u64 differ = *(const u64 *)(w->scratch->name + place) ^ *(const u64 *)(w->root->text + place);
  if (differ & word_mask(w->length - at)) {
    w->found = 1;
    return 1;
  }
  return 0;
}

#define RELATION_IN_ROOT 1
#define RELATION_ABOVE_ROOT 2

struct relation {
  struct scratch *scratch;
  u32 count;
  u32 found;
};

static long relation_step(u32 index, struct relation *r) {
  struct scratch *s = r->scratch;
  if (index >= r->count) return 1;
  struct root_path *root = bpf_map_lookup_elem(&root_paths, &index);
  if (!root) return 1;
  u32 name_length = s->name_length, root_length = root->length;
  struct words w = {.scratch = s, .root = root, .length = name_length < root_length ? name_length : root_length};
  bpf_loop(PAGE_LENGTH / WORD_LENGTH, differ_step, &w, 0);
  if (w.found) return 0;
  // Equal as far as the shorter one goes: it must end at a component's end.
  if (name_length >= root_length) {
    char behind = s->name[MASKED(root_length, PAGE_LENGTH - 1)];
    if (name_length == root_length || behind == '/') r->found |= RELATION_IN_ROOT;
  } else {
    char behind = root->text[MASKED(name_length, PAGE_LENGTH - 1)];
    if (behind == '/' || name_length == 1) r->found |= RELATION_ABOVE_ROOT;
  }
  return 0;
}

// How the absolute name in scratch.name lies to the watched roots.
GLOBAL int name_relation(void) {
  struct scratch *s = scratch_get();
  struct settings *settings = settings_get();
  if (!settings || !s) return 0;
  struct relation r = {.scratch = s, .count = settings->root_count};
  bpf_loop(ROOTS_MAX, relation_step, &r, 0);
  return r.found;
}

// Reads the caller's name into scratch.name. PLACE_UNREAD if its memory is not there (now).
static __always_inline u32 name_read(struct scratch *s, u64 pointer) {
  s->name[0] = 0;
  long length = bpf_probe_read_user_str(s->name, PAGE_LENGTH, (const void *)pointer);
  if (length < 0) {
    s->name_length = 0;
    return PLACE_UNREAD;
  }
  s->name_length = length > 0 ? (length - 1) & PATH_LENGTH_MAX : 0;
  return PLACE_INSIDE;
}

// What scratch.name is relative to: nothing (base.dentry = 0), or a directory. False: there is no such directory, the call fails.
static __always_inline bool base_find(struct scratch *s, bool has_dir, u32 dirfd, struct names *base) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  base->dentry = 0;
  base->mount = 0;
  if (s->name[0] == '/') {
    u32 zero = 0;
    struct machine *machine = bpf_map_lookup_elem(&machine_map, &zero);
    u64 dentry = (u64)BPF_CORE_READ(task, fs, root.dentry);
    u64 mount = (u64)BPF_CORE_READ(task, fs, root.mnt);
    if (!machine || (machine->root_dentry == dentry && machine->root_mount == mount)) return true;
    base->dentry = dentry;
    base->mount = mount;
  } else if (!has_dir || (s32)dirfd == AT_FDCWD) {
    base->dentry = (u64)BPF_CORE_READ(task, fs, pwd.dentry);
    base->mount = (u64)BPF_CORE_READ(task, fs, pwd.mnt);
  } else {
    struct file *file = (struct file *)file_of(dirfd);
    if (!file) return false;
    base->dentry = (u64)BPF_CORE_READ(file, f_path.dentry);
    base->mount = (u64)BPF_CORE_READ(file, f_path.mnt);
  }
  return base->dentry != 0;
}

// Appends base and name to the draft's text, as the first (0) or second (1) path of the draft's record.
GLOBAL int name_place(u64 base_dentry, u64 base_mount, u32 second) {
  struct scratch *s = scratch_get();
  if (!s) return PLACE_OUTSIDE;
  struct record *record = &s->draft.record;
  u32 begin = s->text_length;
  u32 length = s->name_length;
  bool absolute = s->name[0] == '/';
  bool dots = name_has_dots();
  u32 place = PLACE_UNDECIDED;
  u16 flags = KERNEL_FLAG_PATH_BY_NAME;
  struct settings *settings = settings_get();
  bool everything = settings && settings->root_count == 0;
  if (base_dentry) {
    path_walk(base_dentry, base_mount, length + 1);
    if (s->walk_inside && !dots) place = PLACE_INSIDE;
    if (s->walk_flags & KERNEL_FLAG_PATH_TRUNCATED) flags |= KERNEL_FLAG_PATH_TRUNCATED;
    text_append_walk(s);
    if (!absolute && length < PATH_LENGTH_MAX) text_append(s, "/", 1);
  } else if (everything || (!dots && (name_relation() & RELATION_IN_ROOT))) {
    place = PLACE_INSIDE;
  }
  if (everything) place = PLACE_INSIDE;
  text_append(s, s->name, length);
  u32 total = s->text_length - begin;
  if (second) {
    record->path2_length = total;
    if (flags & KERNEL_FLAG_PATH_TRUNCATED) record->flags |= KERNEL_FLAG_PATH2_TRUNCATED;
    record->flags |= KERNEL_FLAG_PATH2_BY_NAME;
  } else {
    record->path_length = total;
    record->flags |= flags;
  }
  return place;
}

#endif
