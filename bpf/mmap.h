// Writes that no system call makes: stores through shared mappings.
#ifndef CAUSEWAY_MMAP_H
#define CAUSEWAY_MMAP_H

// Stores through a shared mapping, as far as they can be seen: when a page turns from clean to dirty, by a page fault of a task. Later stores to the same
// page show again only after it has been written back. The record's argument is the page's offset in the file. (tmpfs does not count dirty pages.)
SEC("tp_btf/writeback_dirty_folio")
int BPF_PROG(on_dirty_folio, struct folio *folio, struct address_space *mapping) {
  struct settings *settings = settings_get();
  if (!settings || !(settings->op_mask >> KERNEL_OP_FILE_WRITE & 1) || !mapping) return 0;
  struct task_struct *task = bpf_get_current_task_btf();
  // A kernel thread's pages were dirtied by somebody else, before.
  if (!task->mm || !task_is_wanted(settings)) return 0;
  if ((s32)call_number((struct pt_regs *)bpf_task_pt_regs(task)) != NO_CALL) {
    // Inside a system call: a write reports itself. Only a read into a mapped file stores through the mapping.
    struct operation *operation = operation_get(0);
    if (!operation || operation->call == 0 || operation->record.op != KERNEL_OP_FILE_READ) return 0;
    if (operation->inode == (u64)mapping->host) return 0;
  }
  struct scratch *s = scratch_take();
  if (!s) return 0;
  u64 now = bpf_ktime_get_ns();
  operation_clear(s);
  // Whoever maps the file has it open: the path is that of one of its mappings.
  u64 node = number_of(s, mapping->i_mmap.rb_root.rb_node);
  if (node) {
    struct vm_area_struct *vma = AT(vm_area_struct, node - bpf_core_field_offset(struct vm_area_struct, shared.rb));
    s->file = number_of(s, GET(vma, vm_file));
    if (file_describe(0)) {
      struct record *record = &s->draft.record;
      record->op = KERNEL_OP_FILE_WRITE;
      record->variant = KERNEL_VARIANT_MMAP;
      record->time_ns = now;
      record->argument = folio->index * PAGE_LENGTH;
      record_set_task(record);
      record_submit(record, s->text_length, TEXT_LENGTH - 1);
    }
  }
  scratch_release(s);
  return 0;
}

#endif
