/* encode: prints, in hex, a record whose bytes all differ: the same as in peer.test.ts. */
#define _GNU_SOURCE
#include "causeway-peer.h"

int main(void) {
  struct causeway_record record;
  memset(&record, 0, sizeof record);
  record.op = KERNEL_OP_FILE_RENAME;
  record.variant = KERNEL_VARIANT_RENAMEAT2;
  record.flags = KERNEL_FLAG_PATH_DELETED | KERNEL_FLAG_DIRECTORY;
  record.time_ns = UINT64_C(0x1112131415161718);
  record.duration_ns = UINT64_C(0x2122232425262728);
  record.inode = UINT64_C(0x8182838485868788);
  record.device = UINT64_C(0x4142434445464748);
  record.size = UINT64_C(0x5152535455565758);
  record.amount = -2;
  record.argument = UINT64_C(0x6162636465666768);
  record.pid = 0x71727374;
  record.tid = 0x75767778;
  record.uid = 0x91929394;
  record.gid = 0x95969798;
  record.error = 17;
  record.mode = 0x81a4;
  record.submit_delay_ns = 0xa1a2a3a4;
  record.comm = "sixteen-letters-";
  record.path = "/golden";
  record.path_length = 7;
  record.path2 = "/golden2\xff";
  record.path2_length = 9;
  uint8_t bytes[KERNEL_RECORD_LENGTH_MAX];
  memset(bytes, 0xee, sizeof bytes);
  causeway_record_encode(bytes, &record, 5, UINT64_C(0x3132333435363738));
  for (uint32_t at = 0; at < causeway_record_length(&record); at++) printf("%02x", bytes[at]);
  return 0;
}
