/* One scan as a message of rtdecode (docs/wire.md), in C99: bytes to push over ZeroMQ.
 * Wire version 2; the bridge accepts scans of version 1 as well. */
#include <stdint.h>
#include <string.h>

static uint8_t *text(uint8_t *to, const char *what) { /* up to 31 bytes */
    size_t n = strlen(what);
    *to = (uint8_t)(0xa0 | n);
    memcpy(to + 1, what, n);
    return to + 1 + n;
}

static uint8_t *number(uint8_t *to, const char *key, int64_t value) {
    to = text(to, key);
    *to++ = 0xd3;
    for (int shift = 56; shift >= 0; shift -= 8) *to++ = (uint8_t)((uint64_t)value >> shift);
    return to;
}

/* Writes rows x cols uint16 counts, row after row; `to` needs 2 * rows * cols + 512 bytes.
 * Times are nanoseconds of this computer's own clock. Returns the number of bytes. */
static size_t scan_message(uint8_t *to, const uint16_t *pixels, uint32_t rows, uint32_t cols,
                           int64_t scan, int64_t t_start_ns, int64_t t_end_ns) {
    uint8_t *at = to;
    uint32_t bytes = 2 * rows * cols;
    *at++ = 0x8b; /* a map of 11: 6 of the envelope, 5 of the scan */
    at = number(at, "v", 2);
    at = text(text(at, "kind"), "scan");
    at = text(text(at, "source"), "rig");
    at = number(at, "seq", scan);
    at = number(at, "t_ns", t_end_ns);
    at = text(text(at, "clock"), "rig"); /* any name but "host": the bridge maps our times */
    at = text(at, "pixels_counts");
    *at++ = 0x83;
    at = text(text(at, "dtype"), "uint16");
    at = text(at, "shape");
    *at++ = 0x92;
    for (int side = 0; side < 2; side++) {
        uint32_t length = side ? cols : rows;
        *at++ = 0xce;
        for (int shift = 24; shift >= 0; shift -= 8) *at++ = (uint8_t)(length >> shift);
    }
    at = text(at, "data");
    *at++ = 0xc6;
    for (int shift = 24; shift >= 0; shift -= 8) *at++ = (uint8_t)(bytes >> shift);
    memcpy(at, pixels, bytes); /* little-endian, as all rig computers are */
    at = number(at + bytes, "number", scan);
    at = number(at, "plane", 0);
    at = number(at, "t_start_ns", t_start_ns);
    at = number(at, "t_end_ns", t_end_ns);
    return (size_t)(at - to);
}
