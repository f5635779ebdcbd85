/* golden write STRUCTURE: prints it in hex. golden read STRUCTURE HEX: exit 0, or the name of the first field that has another value and exit 1. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "golden.h"
#include "layout.h"

typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;

static unsigned char bytes[4096];

#define WRITE(type, offset, value) { type v = (type)(value); memcpy(bytes + (offset), &v, sizeof v); }
#define READ(type, offset, value) \
  { type v; memcpy(&v, bytes + (offset), sizeof v); if (v != (type)(value)) { puts(#offset); return 1; } }

#define STRUCTURE(name, fields, length) \
  if (strcmp(structure, name) == 0) { \
    if (is_read) { fields(READ) return 0; } \
    fields(WRITE) print(length); \
    return 0; \
  }

static void print(int length) {
  for (int i = 0; i < length; i++) printf("%02x", bytes[i]);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  const char *structure = argv[2];
  const int is_read = argc > 3;
  for (size_t i = 0; is_read && i < strlen(argv[3]) / 2; i++) sscanf(argv[3] + 2 * i, "%2hhx", bytes + i);
  STRUCTURE("kernelRecord", KERNEL_RECORD_FIELDS, 144)
  STRUCTURE("ringRecordHeader", RING_RECORD_FIELDS, RING_RECORD_HEADER_LENGTH)
  STRUCTURE("entryHeader", ENTRY_FIELDS, ENTRY_HEADER_LENGTH)
  return 2;
}
