"""What a trial lets a machine load from the network: 16, 32 and 64 bit code that counts, and tells the result.

A network boot program as PXE 2.1 starts it: in real mode at 0:7c00h. It
writes `SIGN` to the first serial port and halts. Its three parts use what a boot loader and the start of a kernel use:
protected mode, paging, long mode, SSE2, and an instruction with a VEX prefix where the processor has BMI2.
"""

# Each line is an address, machine code, and its assembly.
_CODE = """
7c00  fa                    cli
7c01  31c0                  xor ax,ax
7c03  8ed8                  mov ds,ax
7c05  8ed0                  mov ss,ax
7c07  bc007c                mov sp,0x7c00
7c0a  baf803                mov dx,0x3f8
7c0d  b031                  mov al,0x31
7c0f  ee                    out dx,al
7c10  b036                  mov al,0x36
7c12  ee                    out dx,al
7c13  e492                  in al,0x92  ; address line 20
7c15  0c02                  or al,0x2
7c17  e692                  out 0x92,al
7c19  0f0116607d            lgdt [0x7d60]
7c1e  0f20c0                mov eax,cr0
7c21  0c01                  or al,0x1  ; protected mode
7c23  0f22c0                mov cr0,eax
7c26  ea2b7c0800            jmp 0x08:0x7c2b

7c2b  66b81000              mov ax,0x10
7c2f  8ed8                  mov ds,ax
7c31  8ec0                  mov es,ax
7c33  8ed0                  mov ss,ax
7c35  bc007c0000            mov esp,0x7c00
7c3a  66baf803              mov dx,0x3f8
7c3e  b020                  mov al,0x20
7c40  ee                    out dx,al
7c41  b033                  mov al,0x33
7c43  ee                    out dx,al
7c44  b032                  mov al,0x32
7c46  ee                    out dx,al
7c47  bf00000100            mov edi,0x10000
7c4c  b9000c0000            mov ecx,0xc00
7c51  31c0                  xor eax,eax
7c53  f3ab                  rep stosd  ; three page tables
7c55  c7050000010003100100  mov DWORD PTR ds:0x10000,0x11003
7c5f  c7050010010003200100  mov DWORD PTR ds:0x11000,0x12003
7c69  c7050020010083000000  mov DWORD PTR ds:0x12000,0x83  ; the first 2 MiB as they are
7c73  0f20e0                mov eax,cr4
7c76  0d20020000            or eax,0x220  ; PAE, SSE
7c7b  0f22e0                mov cr4,eax
7c7e  b800000100            mov eax,0x10000
7c83  0f22d8                mov cr3,eax
7c86  b9800000c0            mov ecx,0xc0000080
7c8b  0f32                  rdmsr
7c8d  0d00010000            or eax,0x100  ; long mode
7c92  0f30                  wrmsr
7c94  0f20c0                mov eax,cr0
7c97  0d00000080            or eax,0x80000000  ; paging
7c9c  0f22c0                mov cr0,eax
7c9f  eaa67c00001800        jmp 0x18:0x7ca6

7ca6  66b81000              mov ax,0x10
7caa  8ed8                  mov ds,ax
7cac  8ed0                  mov ss,ax
7cae  48b825232284e49cf2cb  movabs rax,0xcbf29ce484222325  ; see `compute_sign`
7cb8  49b8b301000000010000  movabs r8,0x100000001b3
7cc2  31c9                  xor ecx,ecx
7cc4  4831c8                xor rax,rcx
7cc7  490fafc0              imul rax,r8
7ccb  66480f6ec0            movq xmm0,rax
7cd0  660fd4c0              paddq xmm0,xmm0  ; SSE2
7cd4  66480f7ec3            movq rbx,xmm0
7cd9  4831d8                xor rax,rbx
7cdc  ffc1                  inc ecx
7cde  81f940420f00          cmp ecx,0xf4240
7ce4  72de                  jb 0x7cc4
7ce6  4989c1                mov r9,rax
7ce9  b807000000            mov eax,0x7
7cee  31c9                  xor ecx,ecx
7cf0  0fa2                  cpuid
7cf2  48c7c704000000        mov rdi,0x4
7cf9  f7c300010000          test ebx,0x100  ; has it BMI2?
7cff  7407                  je 0x7d08
7d01  c442c1f7c9            shlx r9,r9,rdi  ; an instruction with a VEX prefix
7d06  eb04                  jmp 0x7d0c
7d08  49c1e104              shl r9,0x4
7d0c  66baf803              mov dx,0x3f8
7d10  b020                  mov al,0x20
7d12  ee                    out dx,al
7d13  b036                  mov al,0x36
7d15  ee                    out dx,al
7d16  b034                  mov al,0x34
7d18  ee                    out dx,al
7d19  b020                  mov al,0x20
7d1b  ee                    out dx,al
7d1c  b910000000            mov ecx,0x10
7d21  49c1c104              rol r9,0x4  ; a digit
7d25  4489c8                mov eax,r9d
7d28  240f                  and al,0xf
7d2a  0430                  add al,0x30
7d2c  3c39                  cmp al,0x39
7d2e  7602                  jbe 0x7d32
7d30  0427                  add al,0x27
7d32  ee                    out dx,al
7d33  ffc9                  dec ecx
7d35  75ea                  jne 0x7d21
7d37  b00a                  mov al,0xa
7d39  ee                    out dx,al
7d3a  f4                    hlt
7d3b  ebfd                  jmp 0x7d3a
7d3d  0f1f00                nop DWORD PTR [rax]
"""

# Four descriptors (null, 32 bit code, data, 64 bit code), then the operand of lgdt: size and address of the table.
_TABLE = "0000000000000000 ffff0000009bcf00 ffff00000093cf00 ffff0000009baf001f00 407d0000"

_ROUNDS = 1_000_000
_MASK = 2**64 - 1


def build_program() -> bytes:
    """The program's 358 bytes."""
    code = b"".join(bytes.fromhex(line.split()[1]) for line in _CODE.splitlines() if line)
    return code + bytes.fromhex(_TABLE)


def compute_sign() -> str:
    """What the program writes, computed as it does: the sign of a processor that counts right in all three modes."""
    value = 0xCBF29CE484222325
    for number in range(_ROUNDS):
        value = ((value ^ number) * 0x100000001B3) & _MASK
        value ^= (2 * value) & _MASK
    return f"16 32 64 {(value << 4) & _MASK:016x}"


SIGN = "16 32 64 18445176e3318250"
