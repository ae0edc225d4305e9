//! Code for x86-64 that Cranelift cannot make, whose vectors end at 128 bits: the microkernel in vectors of 256 bits
//! (AVX2, FMA) and of 512 (AVX-512), and what tells whether the processor has the latter.
//!
//! Each instruction is put down as bytes and as text for an assembler; a test has the system's assembler agree.

use super::super::lanes::Types;
use nnc_core::vectors::{self, Block};
use std::fmt::Write as _;

/// A machine's vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vectors {
    /// 16 registers of 256 bits, which every processor of the level x86-64-v3 has.
    Avx2,
    /// 32 registers of 512 bits.
    Avx512,
}

impl Vectors {
    /// The microkernel's block.
    pub fn block(self, types: Types) -> Block {
        let level = match self {
            Self::Avx2 => vectors::Vectors::Avx2,
            Self::Avx512 => vectors::Vectors::Avx512,
        };
        level.block(types.precision)
    }

    fn bytes(self) -> usize {
        match self {
            Self::Avx2 => 32,
            Self::Avx512 => 64,
        }
    }
}

/// Machine code, and its text.
#[derive(Clone, Debug, Default)]
pub struct Code {
    /// For the processor.
    pub bytes: Vec<u8>,
    /// For the assembler.
    pub text: String,
}

/// A general register, by its number.
#[derive(Clone, Copy)]
struct General(u8);

/// The arguments of a function, in the order of the System V convention.
const DEPTH: General = General(7);
const ROWS: General = General(6);
const COLUMNS: General = General(2);
const BLOCK: General = General(1);

impl General {
    fn name(self) -> &'static str {
        ["rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"][usize::from(self.0)]
    }
}

/// An instruction on vectors: its map of opcodes, prefix, whether W is set, and opcode.
#[derive(Clone, Copy)]
struct Operation {
    name: &'static str,
    map: u8,
    prefix: u8,
    wide: bool,
    opcode: u8,
}

const LOAD: Operation = Operation { name: "vmovups", map: 1, prefix: 0, wide: false, opcode: 0x10 };
const STORE: Operation = Operation { opcode: 0x11, ..LOAD };
const CLEAR_256: Operation = Operation { name: "vxorps", map: 1, prefix: 0, wide: false, opcode: 0x57 };
const CLEAR_512: Operation = Operation { name: "vpxord", map: 1, prefix: 1, wide: false, opcode: 0xef };

fn broadcast(vectors: Vectors, double: bool) -> Operation {
    if double {
        let wide = vectors == Vectors::Avx512;
        Operation { name: "vbroadcastsd", map: 2, prefix: 1, wide, opcode: 0x19 }
    } else {
        Operation { name: "vbroadcastss", map: 2, prefix: 1, wide: false, opcode: 0x18 }
    }
}

fn multiply_add(double: bool) -> Operation {
    let name = if double { "vfmadd231pd" } else { "vfmadd231ps" };
    Operation { name, map: 2, prefix: 1, wide: double, opcode: 0xb8 }
}

/// Where an instruction's last operand is.
#[derive(Clone, Copy)]
enum Place {
    Register(u8),
    Memory(General, usize),
}

struct Assembler {
    vectors: Vectors,
    code: Code,
}

impl Assembler {
    fn plain(&mut self, bytes: &[u8], text: &str) {
        self.code.bytes.extend(bytes);
        let _ = writeln!(self.code.text, "{text}");
    }

    fn vector(&self, number: u8) -> String {
        format!("%{}mm{number}", if self.vectors == Vectors::Avx2 { 'y' } else { 'z' })
    }

    /// `operation` on registers `to` and, if it takes three operands, `left`, and on a place.
    fn operate(&mut self, operation: Operation, to: u8, left: Option<u8>, place: Place) {
        let (base, mode) = match place {
            Place::Register(r) => (r, 0b1100_0000),
            Place::Memory(General(r), _) => (r, 0b1000_0000),
        };
        let clear = |number: u8, bit: u8| u8::from(number >> bit & 1 == 0);
        let (third, wide) = (left.unwrap_or(0), u8::from(operation.wide) << 7);
        let bits = clear(to, 3) << 7 | clear(base, 4) << 6 | clear(base, 3) << 5;
        let middle = wide | (!third & 15) << 3 | operation.prefix;
        match self.vectors {
            Vectors::Avx2 => self.code.bytes.extend([0xc4, bits | operation.map, middle | 1 << 2]),
            Vectors::Avx512 => self.code.bytes.extend([
                0x62,
                bits | clear(to, 4) << 4 | operation.map,
                middle | 1 << 2,
                0b10 << 5 | clear(third, 4) << 3,
            ]),
        }
        self.code.bytes.extend([operation.opcode, mode | (to & 7) << 3 | base & 7]);
        let mut operands = vec![];
        match place {
            Place::Register(r) => operands.push(self.vector(r)),
            Place::Memory(r, offset) => {
                self.code.bytes.extend((offset as u32).to_le_bytes());
                operands.push(format!("{offset}(%{})", r.name()));
            }
        }
        operands.extend(left.map(|l| self.vector(l)));
        operands.push(self.vector(to));
        if operation.opcode == STORE.opcode {
            operands.reverse();
        }
        let form = if self.vectors == Vectors::Avx2 { "{vex3} " } else { "" };
        let form = format!("{form}{}", if matches!(place, Place::Memory(..)) { "{disp32} " } else { "" });
        let _ = writeln!(self.code.text, "{form}{} {}", operation.name, operands.join(", "));
    }

    /// Moves a register on.
    fn advance(&mut self, register: General, by: usize) {
        let General(number) = register;
        let text = format!("add ${by}, %{}", register.name());
        match u8::try_from(by) {
            Ok(short) if short < 128 => self.plain(&[0x48, 0x83, 0xc0 | number, short], &text),
            _ => {
                let [a, b, c, d] = (by as u32).to_le_bytes();
                self.plain(&[0x48, 0x81, 0xc0 | number, a, b, c, d], &text);
            }
        }
    }
}

/// `fn(terms, rows, columns, block)`: the block's sums of products over the terms, at least one, of a packed panel of rows
/// and one of columns, each one chain of fused multiply-adds from zero.
pub fn microkernel(vectors: Vectors, types: Types) -> Code {
    let size = types.float().bytes() as usize;
    let double = size == 8;
    let height = vectors.block(types).rows;
    let mut a = Assembler { vectors, code: Code::default() };
    // Registers 0 and 1 are columns, 2 a row's number, those from `first` on sums.
    let sums = 2 * height as u8;
    let first = if vectors == Vectors::Avx2 { 16 - sums } else { 32 - sums };
    for sum in first..first + sums {
        let clear = if vectors == Vectors::Avx2 { CLEAR_256 } else { CLEAR_512 };
        a.operate(clear, sum, Some(sum), Place::Register(sum));
    }
    let inside = a.code.bytes.len();
    let _ = writeln!(a.code.text, "1:");
    for half in 0..2 {
        a.operate(LOAD, half, None, Place::Memory(COLUMNS, usize::from(half) * vectors.bytes()));
    }
    for row in 0..height {
        a.operate(broadcast(vectors, double), 2, None, Place::Memory(ROWS, row * size));
        for half in 0..2 {
            a.operate(multiply_add(double), first + 2 * row as u8 + half, Some(2), Place::Register(half));
        }
    }
    a.advance(ROWS, height * size);
    a.advance(COLUMNS, 2 * vectors.bytes());
    a.plain(&[0x48, 0xff, 0xc8 | DEPTH.0], &format!("dec %{}", DEPTH.name()));
    let back = inside as i32 - (a.code.bytes.len() as i32 + 6);
    let [b0, b1, b2, b3] = back.to_le_bytes();
    a.plain(&[0x0f, 0x85, b0, b1, b2, b3], "jnz 1b");
    for sum in 0..sums {
        a.operate(STORE, first + sum, None, Place::Memory(BLOCK, usize::from(sum) * vectors.bytes()));
    }
    // Code that Cranelift makes would be slowed down by what is left in the upper halves.
    a.plain(&[0xc5, 0xf8, 0x77], "vzeroupper");
    a.plain(&[0xc3], "ret");
    a.code
}

/// `fn() -> 1 or 2`: 2 if processor and system have AVX-512.
pub fn level() -> Code {
    let mut a = Assembler { vectors: Vectors::Avx2, code: Code::default() };
    for (bytes, text) in [
        (&[0x53][..], "push %rbx"),
        (&[0xb8, 1, 0, 0, 0], "mov $1, %eax"),
        (&[0x31, 0xc9], "xor %ecx, %ecx"),
        (&[0x0f, 0xa2], "cpuid"),
        // Bit 27: the system says through `xgetbv` which registers it keeps.
        (&[0x0f, 0xba, 0xe1, 27], "bt $27, %ecx"),
        (&[0x73, 32], "jnc 2f"),
        (&[0x31, 0xc9], "xor %ecx, %ecx"),
        (&[0x0f, 0x01, 0xd0], "xgetbv"),
        // Those of 128, 256 and 512 bits, all 32, and the masks.
        (&[0x25, 0xe6, 0, 0, 0], "and $0xe6, %eax"),
        (&[0x3d, 0xe6, 0, 0, 0], "cmp $0xe6, %eax"),
        (&[0x75, 15], "jne 2f"),
        (&[0xb8, 7, 0, 0, 0], "mov $7, %eax"),
        (&[0x31, 0xc9], "xor %ecx, %ecx"),
        (&[0x0f, 0xa2], "cpuid"),
        // Bit 16: AVX-512's foundation.
        (&[0x0f, 0xba, 0xe3, 16], "bt $16, %ebx"),
        (&[0x72, 7], "jc 3f"),
        (&[0xb8, 1, 0, 0, 0], "2: mov $1, %eax"),
        (&[0x5b], "pop %rbx"),
        (&[0xc3], "ret"),
        (&[0xb8, 2, 0, 0, 0], "3: mov $2, %eax"),
        (&[0x5b], "pop %rbx"),
        (&[0xc3], "ret"),
    ] {
        a.plain(bytes, text);
    }
    a.code
}

#[cfg(test)]
mod tests {
    use super::*;
    use nnc_core::number::Precision;
    use std::process::Command;

    /// The bytes that the system's assembler makes of a text.
    fn assembled(text: &str, name: &str) -> Option<Vec<u8>> {
        let folder = std::env::temp_dir().join(format!("nnc-x86-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let [source, object, plain] = ["code.s", "code.o", "code.bin"].map(|f| folder.join(f));
        std::fs::write(&source, format!(".text\n{text}")).expect("written");
        let run = |command: &mut Command| command.output().ok().filter(|o| o.status.success());
        run(Command::new("as").arg("--64").arg("-o").args([&object, &source]))?;
        run(Command::new("objcopy").args(["-O", "binary", "-j", ".text"]).args([&object, &plain]))?;
        let bytes = std::fs::read(&plain).ok();
        let _ = std::fs::remove_dir_all(&folder);
        bytes
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_bytes_are_those_of_an_assembler() {
        let mut codes = vec![("level".to_string(), level())];
        for vectors in [Vectors::Avx2, Vectors::Avx512] {
            for precision in [Precision::F32, Precision::F64] {
                codes.push((format!("{vectors:?}-{precision:?}"), microkernel(vectors, Types { precision })));
            }
        }
        for (name, code) in codes {
            match assembled(&code.text, &name) {
                Some(bytes) => assert_eq!(bytes, code.bytes, "{name}:\n{}", code.text),
                None => panic!("no assembler, or it refuses {name}:\n{}", code.text),
            }
        }
    }
}
