// Paths from dentries, and the exact subtree filter on the way.
#ifndef CAUSEWAY_PATH_H
#define CAUSEWAY_PATH_H

#include "state.h"

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
  return device_encode(BPF_CORE_READ(inode, i_sb, s_dev));
}

GLOBAL int inode_is_root(u64 inode_address) {
  struct inode *inode = (struct inode *)inode_address;
  struct settings *settings = settings_get();
  if (!settings) return 0;
  u64 number = BPF_CORE_READ(inode, i_ino);
  u32 count = settings->root_count;
  for (u32 i = 0; i < ROOTS_MAX; i++) {
    if (i >= count) break;
    if (settings->roots[i].inode == number && settings->roots[i].device == inode_device(inode)) return 1;
  }
  return 0;
}

// The neighbouring fields of a dentry that every step needs, read at once.
struct dentry_part {
  u64 parent;
  u64 name_hash_length;
  u64 name;
  u64 inode;
};

static __always_inline bool dentry_read(struct dentry *dentry, struct dentry_part *part) {
  const u32 parent = bpf_core_field_offset(struct dentry, d_parent);
  const u32 name = bpf_core_field_offset(struct dentry, d_name);
  const u32 inode = bpf_core_field_offset(struct dentry, d_inode);
  if (name - parent == 8 && inode - parent == 24) {
    return bpf_probe_read_kernel(part, sizeof(*part), (const void *)((u64)dentry + parent)) == 0;
  }
  part->parent = (u64)BPF_CORE_READ(dentry, d_parent);
  part->name_hash_length = BPF_CORE_READ(dentry, d_name.hash_len);
  part->name = (u64)BPF_CORE_READ(dentry, d_name.name);
  part->inode = (u64)BPF_CORE_READ(dentry, d_inode);
  return true;
}

static __always_inline u64 mount_of(u64 vfsmount) {
  return vfsmount - bpf_core_field_offset(struct mount, mnt);
}

// One dentry (or one crossing of a mount point) a step. 1 = done.
static long walk_step(u32 index, struct walk *w) {
  struct scratch *s = w->scratch;
  struct dentry_part part = {};
  if (!dentry_read((struct dentry *)w->dentry, &part) || part.inode == 0) {
    w->flags |= KERNEL_FLAG_PATH_TRUNCATED;
    return 1;
  }
  if (!w->inside && inode_is_root(part.inode)) w->inside = 1;
  if (w->dentry == w->mount_root) {
    struct mount *mount = (struct mount *)w->mount;
    u64 parent = (u64)BPF_CORE_READ(mount, mnt_parent);
    if (parent == w->mount || parent == 0) {
      w->complete = 1;
      return 1;
    }
    w->dentry = (u64)BPF_CORE_READ(mount, mnt_mountpoint);
    w->mount = parent;
    w->mount_root = (u64)BPF_CORE_READ((struct mount *)parent, mnt.mnt_root);
    return 0;
  }
  if (part.parent == w->dentry) {
    // The root of a file system that is not where its mount says: unmounted meanwhile, or a file opened by handle whose directory is not known.
    w->flags |= KERNEL_FLAG_PATH_TRUNCATED;
    return 1;
  }
  u32 length = part.name_hash_length >> 32;
  if (length > NAME_LENGTH_MAX || w->position < w->limit + length + 1) w->full = 1;
  if (!w->full) {
    u32 position = w->position - length - 1;
    w->position = position;
    char *to = &s->walk_text[MASKED(position, WALK_END - 1)];
    *to = '/';
    bpf_probe_read_kernel(to + 1, MASKED(length, NAME_LENGTH_MAX), (const void *)part.name);
  }
  w->dentry = part.parent;
  return 0;
}

// Writes the path of a dentry into scratch.walk_text[scratch.position .. WALK_END), keeping `reserve` bytes of PATH_LENGTH_MAX free for what the caller
// adds; sets scratch.walk_flags and scratch.walk_inside.
GLOBAL int path_walk(u64 dentry, u64 vfsmount, u32 reserve) {
  struct scratch *s = scratch_get();
  struct settings *settings = settings_get();
  if (!settings || !s) return 0;
  struct walk w = {
      .dentry = dentry,
      .mount = mount_of(vfsmount),
      .mount_root = (u64)BPF_CORE_READ((struct vfsmount *)vfsmount, mnt_root),
      .scratch = s,
      .position = WALK_END,
      .limit = WALK_END - PATH_LENGTH_MAX + reserve,
      .inside = settings->root_count == 0,
  };
  struct dentry *leaf = (struct dentry *)dentry;
  // Unhashed (d_unlinked): no name leads to it any more. A root never is hashed.
  if (BPF_CORE_READ(leaf, d_hash.pprev) == 0 && (u64)BPF_CORE_READ(leaf, d_parent) != dentry) w.flags |= KERNEL_FLAG_PATH_DELETED;
  bpf_loop(PATH_DEPTH_MAX, walk_step, &w, 0);
  if (w.full || (!w.complete && !(w.flags & KERNEL_FLAG_PATH_TRUNCATED))) w.flags |= KERNEL_FLAG_PATH_TRUNCATED;
  if (w.position >= WALK_END && reserve == 0) {
    w.position = WALK_END - 1;
    s->walk_text[WALK_END - 1] = '/';
  }
  s->position = w.position;
  s->walk_flags = w.flags;
  s->walk_inside = w.inside;
  return 0;
}

// Appends bytes to the draft's text.
static __always_inline void text_append(struct scratch *s, const void *from, u32 length) {
  u32 at = s->text_length;
  if (length > PATH_LENGTH_MAX || at > PATH_LENGTH_MAX + PATH_LENGTH_MAX) return;
  // The masks tell the verifier what the lines above make sure of: at most two paths, TEXT_LENGTH is behind by slack.
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

#define FILES_MAX (1 << 20)

// The open file behind a descriptor of the current task, or 0.
static __always_inline u64 file_of(u32 fd) {
  struct task_struct *task = (struct task_struct *)bpf_get_current_task();
  struct fdtable *table = BPF_CORE_READ(task, files, fdt);
  if (!table || fd >= BPF_CORE_READ(table, max_fds)) return 0;
  struct file **files = BPF_CORE_READ(table, fd);
  u64 file = 0;
  bpf_probe_read_kernel(&file, sizeof(file), &files[fd]);
  return file;
}

static __always_inline bool mode_is_ours(u32 mode) {
  u32 type = mode & S_IFMT;
  return type == S_IFREG || type == S_IFDIR || type == S_IFLNK;
}

#endif
