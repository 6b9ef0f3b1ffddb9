"""A binary made of a few machine instructions: proof that a POST hook may be a binary, without a compiler.

Static ELF64 for x86-64 (System V ABI, AMD64 supplement): writes one text to standard output and exits with 0.
"""

import struct

LOAD_ADDRESS = 0x400000
ELF_HEADER_BYTES = 64
PROGRAM_HEADER_BYTES = 56


def build_binary(text: str) -> bytes:
    """The bytes of an executable that prints `text` and a newline."""
    message = text.encode() + b"\n"
    # mov eax,1 (write); mov edi,1; lea rsi,[rip+9]; mov edx,len; syscall; mov eax,60 (exit); xor edi,edi; syscall
    code = b"\xb8\x01\x00\x00\x00" + b"\xbf\x01\x00\x00\x00"
    tail = (
        b"\xba"
        + struct.pack("<I", len(message))
        + b"\x0f\x05"
        + b"\xb8\x3c\x00\x00\x00"
        + b"\x31\xff"
        + b"\x0f\x05"
    )
    code += b"\x48\x8d\x35" + struct.pack("<i", len(tail)) + tail
    start = ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES
    size = start + len(code) + len(message)
    ident = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = ident + struct.pack(
        "<HHIQQQIHHHHHH",
        2, 0x3E, 1, LOAD_ADDRESS + start, ELF_HEADER_BYTES, 0, 0, ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES, 1, 0, 0, 0,
    )  # fmt: skip
    program = struct.pack("<IIQQQQQQ", 1, 5, 0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x1000)
    return header + program + code + message
