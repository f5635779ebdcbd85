// Names as the caller wrote them: joined with the directory that they are relative to, and compared with the watched roots as far as the kernel can tell.
#ifndef CAUSEWAY_NAME_H
#define CAUSEWAY_NAME_H

#include "path.h"
#include "task.h"

#define AT_FDCWD (-100)

#define PLACE_OUTSIDE 0
#define PLACE_INSIDE 1
/** A symbolic link or a `..` may lead into a root, or out of it: user space decides. */
#define PLACE_UNDECIDED 2
/** The name could not be read. */
#define PLACE_UNREAD 3

#define WORD_LENGTH 8
#define DOTS 0x2e2e2e2e2e2e2e2eull

// Bytes of a word that lie before the end.
static __always_inline u64 word_mask(u32 left) {
  return left >= WORD_LENGTH ? ~0ull : (1ull << (left * 8)) - 1;
}

static __always_inline u64 zero_bytes(u64 word) {
  return (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
}

// Two dots in a row in the eight bytes of the name from `at` on (and the byte behind them).
GLOBAL int word_has_dots(u32 at) {
  struct scratch *s = scratch_get();
  if (!s || at >= s->name_length) return 0;
  u32 left = s->name_length - at;
  const char *word = s->name + MASKED(at, PAGE_LENGTH - 1);
  u64 here = *(const u64 *)word & word_mask(left);
  u64 next = *(const u64 *)(word + 1) & word_mask(left - 1);
  return (zero_bytes(here ^ DOTS) & zero_bytes(next ^ DOTS)) != 0;
}

// Two dots in a row somewhere in the name. More than `..` itself is found (`a..b`): then user space decides, and nothing is wrong.
GLOBAL int name_has_dots(void) {
  struct scratch *s = scratch_get();
  if (!s) return 0;
  for (u32 at = 0; at < PAGE_LENGTH; at += WORD_LENGTH) {
    if (at >= s->name_length) break;
    if (word_has_dots(at)) return 1;
  }
  return 0;
}

#define RELATION_IN_ROOT 1
#define RELATION_ABOVE_ROOT 2

// Whether the eight bytes from `at` on differ between the name and a root's path, in the first `length` bytes.
GLOBAL int word_differs(u32 index, u32 at, u32 length) {
  struct scratch *s = scratch_get();
  struct root_path *root = bpf_map_lookup_elem(&root_paths, &index);
  if (!s || !root || at >= length) return 0;
  u32 place = MASKED(at, PAGE_LENGTH - WORD_LENGTH);
  u64 differ = *(const u64 *)(s->name + place) ^ *(const u64 *)(root->text + place);
  return (differ & word_mask(length - at)) != 0;
}

// How scratch.name lies to one root: equal as far as the shorter one goes, and the shorter one ends where a component of the longer one does.
GLOBAL int name_relation_to(u32 index) {
  struct scratch *s = scratch_get();
  struct root_path *root = bpf_map_lookup_elem(&root_paths, &index);
  if (!s || !root) return 0;
  u32 name_length = s->name_length, root_length = root->length;
  u32 length = name_length < root_length ? name_length : root_length;
  for (u32 at = 0; at < PAGE_LENGTH; at += WORD_LENGTH) {
    if (at >= length) break;
    if (word_differs(index, at, length)) return 0;
  }
  if (name_length >= root_length) {
    char behind = s->name[MASKED(root_length, PAGE_LENGTH - 1)];
    return name_length == root_length || behind == '/' ? RELATION_IN_ROOT : 0;
  }
  char behind = root->text[MASKED(name_length, PAGE_LENGTH - 1)];
  return behind == '/' || name_length == 1 ? RELATION_ABOVE_ROOT : 0;
}

// How the absolute name in scratch.name lies to the watched roots.
GLOBAL int name_relation(void) {
  struct settings *settings = settings_get();
  if (!settings) return 0;
  u32 found = 0;
  for (u32 i = 0; i < ROOTS_MAX; i++) {
    if (i >= settings->root_count) break;
    found |= name_relation_to(i);
  }
  return found;
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

// Sets scratch.from to what scratch.name is relative to: nothing (dentry = 0), or a directory. False: there is no such directory, the call fails.
static __always_inline bool base_find(struct scratch *s, bool has_dir, u32 dirfd) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct fs_struct *fs = GET(task, fs);
  if (s->name[0] == '/') {
    struct machine *machine = machine_get();
    s->from.dentry = (u64)GET(fs, root.dentry);
    s->from.mount = (u64)GET(fs, root.mnt);
    if (machine && machine->root_dentry == s->from.dentry && machine->root_mount == s->from.mount) s->from.dentry = 0;
    return true;
  }
  if (!has_dir || (s32)dirfd == AT_FDCWD) {
    s->from.dentry = (u64)GET(fs, pwd.dentry);
    s->from.mount = (u64)GET(fs, pwd.mnt);
    return true;
  }
  if (!file_of(s, dirfd)) return false;
  struct file *file = AT(file, s->file);
  s->from.dentry = (u64)GET(file, f_path.dentry);
  s->from.mount = (u64)GET(file, f_path.mnt);
  return true;
}

// Appends scratch.from and scratch.name to the draft's text, as the first (0) or second (1) path of the draft's record. Sets scratch.walk_inside to
// whether the name begins inside a root, wherever it then leads.
GLOBAL int name_place(u32 second) {
  struct scratch *s = scratch_get();
  struct settings *settings = settings_get();
  if (!s || !settings) return PLACE_OUTSIDE;
  struct record *record = &s->draft.record;
  u32 begin = s->text_length;
  u32 length = s->name_length;
  bool absolute = s->name[0] == '/';
  bool dots = name_has_dots();
  bool everything = settings->root_count == 0;
  u32 place = everything ? PLACE_INSIDE : PLACE_UNDECIDED;
  u16 flags = KERNEL_FLAG_PATH_BY_NAME;
  if (s->from.dentry) {
    s->walk_inside = path_is_inside();
    if (s->walk_inside && !dots) place = PLACE_INSIDE;
    path_build(length + 1);
    flags |= s->walk_flags & KERNEL_FLAG_PATH_TRUNCATED;
    // Names of another mount namespace: user space could only look for them in its own.
    if (s->walk_foreign && !s->walk_inside && !everything) place = PLACE_OUTSIDE;
    text_append_walk(s);
    if (!absolute && length < PATH_LENGTH_MAX) text_append(s, "/", 1);
  } else {
    s->walk_inside = name_relation() & RELATION_IN_ROOT;
    if (s->walk_inside && !dots) place = PLACE_INSIDE;
  }
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
