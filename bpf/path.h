// Paths from dentries, and the exact subtree filter.
#ifndef CAUSEWAY_PATH_H
#define CAUSEWAY_PATH_H

#include "task.h"

#define S_IFMT 0170000
#define S_IFLNK 0120000
#define S_IFREG 0100000
#define S_IFDIR 0040000

#define KERNEL_MINOR_BITS 20
#define NAME_LENGTH_MAX 255

// st_dev as stat(2) gives it (include/linux/kdev_t.h: new_encode_dev).
static __always_inline u64 device_encode(u32 device) {
  u32 major = device >> KERNEL_MINOR_BITS;
  u32 minor = device & ((1 << KERNEL_MINOR_BITS) - 1);
  return (minor & 0xff) | (major << 8) | ((minor & ~0xffu) << 12);
}

static __always_inline u64 inode_device(struct inode *inode) {
  struct super_block *block = GET(inode, i_sb);
  return device_encode(GET(block, s_dev));
}

static __always_inline bool root_matches(const struct root *root, u64 number, u64 device) {
  return root->inode == number && root->device == device;
}

// Apart from the first root, so that the common case is short and the verifier checks this loop once.
GLOBAL int is_other_root(u64 number, u64 device) {
  struct settings *settings = settings_get();
  struct scratch *s = scratch_get();
  if (!settings || !s) return 0;
  for (u32 i = 1; i < ROOTS_MAX; i++) {
    if (i >= settings->root_count) break;
    if (root_matches(&settings->roots[i], number, device)) {
      s->root_index = i;
      return 1;
    }
  }
  return 0;
}

static __always_inline bool inode_is_root(const struct settings *settings, struct inode *inode) {
  u64 number = GET(inode, i_ino);
  if (settings->roots[0].inode == number && settings->roots[0].device == inode_device(inode)) return true;
  return settings->root_count > 1 && is_other_root(number, inode_device(inode));
}

// A number instead of a pointer with a type, to calculate with: the verifier forgets the type on the way through the map's memory.
static __always_inline u64 number_of(struct scratch *s, const void *pointer) {
  *(volatile u64 *)&s->number = (u64)pointer;
  return *(volatile u64 *)&s->number;
}

// The word at an address.
static __always_inline u64 word_at(struct scratch *s, u64 address) {
  struct hlist_head *head = AT(hlist_head, address);
  return number_of(s, GET(head, first));
}

static __always_inline void walk_begin(struct scratch *s) {
  u64 mount = s->from.mount;
  s->at.dentry = s->from.dentry;
  s->at.mount = mount - bpf_core_field_offset(struct mount, mnt);
  s->mount_root = (u64)GET(AT(vfsmount, mount), mnt_root);
}

// From the root of a mount to the place where it is mounted. False at the top of the tree.
static __always_inline bool walk_cross(struct scratch *s) {
  struct mount *mount = AT(mount, s->at.mount);
  u64 old = s->at.mount;
  s->at.dentry = (u64)GET(mount, mnt_mountpoint);
  s->at.mount = (u64)GET(mount, mnt_parent);
  if (s->at.mount == old || s->at.mount == 0) return false;
  struct mount *parent = AT(mount, s->at.mount);
  s->mount_root = (u64)GET(parent, mnt.mnt_root);
  return true;
}

// Whether scratch.from is a watched root or below one: by inode and device of every ancestor, so that names, renames and bind mounts make no difference.
GLOBAL int path_is_inside(void) {
  struct scratch *s = scratch_get();
  struct settings *settings = settings_get();
  if (!s || !settings) return 0;
  if (settings->root_count == 0) return 1;
  s->root_index = 0;
  s->root_dentry = 0;
  walk_begin(s);
  for (u32 i = 0; i < PATH_DEPTH_MAX; i++) {
    struct dentry *dentry = AT(dentry, s->at.dentry);
    struct inode *inode = GET(dentry, d_inode);
    if (inode_is_root(settings, inode)) {
      s->root_dentry = s->at.dentry;
      return 1;
    }
    if (s->at.dentry == s->mount_root) {
      if (!walk_cross(s)) return 0;
    } else {
      u64 child = s->at.dentry;
      s->at.dentry = (u64)GET(dentry, d_parent);
      if (s->at.dentry == child || s->at.dentry == 0) return 0;
    }
  }
  return 0;
}

// A path from another mount namespace means nothing to the engine's user, but what is below a watched root does: the root's own path goes in front of it.
GLOBAL int path_translate(u32 root_position, u32 limit) {
  struct scratch *s = scratch_get();
  if (!s) return 0;
  u32 index = s->root_index;
  struct root_path *root = bpf_map_lookup_elem(&root_paths, &index);
  if (!root || root_position > WALK_END) return 0;
  u32 length = root->length;
  if (root_position < limit + length) {
    s->position = root_position;
    s->walk_flags |= KERNEL_FLAG_PATH_TRUNCATED;
    return 0;
  }
  u32 position = root_position - length;
  bpf_probe_read_kernel(&s->walk_text[MASKED(position, WALK_END - 1)], MASKED(length, PATH_LENGTH_MAX), root->text);
  s->position = position;
  s->walk_flags &= ~KERNEL_FLAG_PATH_TRUNCATED;
  return 0;
}

// Writes the path of scratch.from into scratch.walk_text[position .. WALK_END), keeping `reserve` bytes of PATH_LENGTH_MAX free for what the caller adds.
// Sets scratch.position, scratch.walk_flags and scratch.walk_foreign. path_is_inside comes first: it finds the root on the way.
GLOBAL int path_build(u32 reserve) {
  struct scratch *s = scratch_get();
  struct machine *machine = machine_get();
  if (!s || !machine) return 0;
  struct dentry *leaf = AT(dentry, s->from.dentry);
  u32 limit = WALK_END - PATH_LENGTH_MAX + reserve;
  u32 flags = KERNEL_FLAG_PATH_TRUNCATED;
  // Unhashed (d_unlinked): no name leads to it any more. A root never is hashed.
  bool hashed = GET(leaf, d_hash.pprev) != 0;
  if (!hashed && (u64)GET(leaf, d_parent) != s->from.dentry) flags |= KERNEL_FLAG_PATH_DELETED;
  walk_begin(s);
  s->position = WALK_END;
  s->walk_foreign = 0;
  u32 root_position = WALK_END + 1;
  for (u32 i = 0; i < PATH_DEPTH_MAX; i++) {
    if (s->at.dentry == s->root_dentry) root_position = s->position;
    if (s->at.dentry == s->mount_root) {
      if (walk_cross(s)) continue;
      // The top: the path is whole.
      flags &= ~KERNEL_FLAG_PATH_TRUNCATED;
      s->walk_foreign = s->at.mount != machine->top_mount;
      break;
    }
    struct dentry *dentry = AT(dentry, s->at.dentry);
    u64 child = s->at.dentry;
    // Odd while a rename changes name and parent; other than before if one has in between. Then this component is read again.
    u32 sequence = GET(dentry, d_seq.seqcount.sequence);
    s->at.dentry = (u64)GET(dentry, d_parent);
    // The root of a file system that is not where its mount says: unmounted meanwhile, or a file opened by handle whose directory is not known.
    if (s->at.dentry == child || s->at.dentry == 0) break;
    u32 length = GET(dentry, d_name.len);
    u32 position = s->position - length - 1;
    if (length > NAME_LENGTH_MAX || s->position < limit + length + 1) break;
    char *to = &s->walk_text[MASKED(position, WALK_END - 1)];
    *to = '/';
    bpf_probe_read_kernel(to + 1, MASKED(length, NAME_LENGTH_MAX), GET(dentry, d_name.name));
    if (sequence & 1 || GET(dentry, d_seq.seqcount.sequence) != sequence) {
      s->at.dentry = child;
      continue;
    }
    s->position = position;
  }
  s->walk_flags = flags;
  if (s->walk_foreign) path_translate(root_position, limit);
  if (s->position >= WALK_END && reserve == 0) {
    s->position = WALK_END - 1;
    s->walk_text[WALK_END - 1] = '/';
  }
  return 0;
}

// Appends bytes to the draft's text.
static __always_inline void text_append(struct scratch *s, const void *from, u32 length) {
  u32 at = s->text_length;
  if (length > PATH_LENGTH_MAX || at > PATH_LENGTH_MAX + PATH_LENGTH_MAX) return;
  // The masks tell the verifier what the line above makes sure of: at most two paths; slack is behind the text.
  bpf_probe_read_kernel(&s->draft.text[MASKED(at, TEXT_LENGTH - 1)], MASKED(length, PATH_LENGTH_MAX), from);
  s->text_length = at + length;
}

static __always_inline u32 walk_length(struct scratch *s) {
  u32 position = s->position;
  return position <= WALK_END ? WALK_END - position : 0;
}

static __always_inline void text_append_walk(struct scratch *s) {
  text_append(s, &s->walk_text[MASKED(s->position, WALK_END - 1)], walk_length(s));
}

// Sets scratch.file to the address of the open file behind a descriptor of the current task, or 0.
static __always_inline u64 file_of(struct scratch *s, u32 fd) {
  struct task_struct *task = bpf_get_current_task_btf();
  struct files_struct *files = GET(task, files);
  struct fdtable *table = GET(files, fdt);
  s->file = 0;
  if (fd >= GET(table, max_fds)) return 0;
  s->file = word_at(s, (u64)GET(table, fd) + fd * sizeof(u64));
  return s->file;
}

static __always_inline bool mode_is_ours(u32 mode) {
  u32 type = mode & S_IFMT;
  return type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
}

#endif
