//! What an executable's ELF headers say about what it needs to run.
//!
//! Read piece by piece from the open file, never mapped: pages of a mapped file count as memory.

use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadCacheOps};
use object::{Endianness, FileKind, ReadRef};

use crate::oci::Platform;
use crate::oci::file::OpenedFile;

/// More shared libraries than an executable has.
const MOST_NEEDED: usize = 1000;
/// A larger segment holds neither the loader's name nor the list of libraries.
const LARGEST_SEGMENT: u64 = 1 << 20;
/// A longer name is no path.
const LONGEST_STRING: u64 = 4096;

/// What an executable is made for, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElfFacts {
    /// The machine's number in ELF, `e_machine`.
    pub machine: u16,
    /// Whether addresses have 64 bits.
    pub is_64: bool,
    /// Whether numbers are written lowest byte first.
    pub is_little_endian: bool,
    /// The loader that starts it: `/lib64/ld-linux-x86-64.so.2`. None for a static executable.
    pub interpreter: Option<String>,
    /// The shared libraries that it names, in its order.
    pub needed: Vec<String>,
    /// Where it has them looked for first (`DT_RUNPATH`, `DT_RPATH`), colons between.
    pub search: Vec<String>,
}

/// What keeps a file from being an executable for Linux.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotElf {
    /// Another format.
    #[error("it is not an ELF executable")]
    Format,
    /// Broken.
    #[error("its ELF headers are broken: {0}")]
    Broken(String),
}

impl ElfFacts {
    /// Reads the headers of an open file.
    pub fn read(file: &OpenedFile) -> Result<Self, NotElf> {
        let cache = ReadCache::new(Headers { file, position: 0 });
        let kind = FileKind::parse(&cache).map_err(|_| NotElf::Format)?;
        let facts = match kind {
            FileKind::Elf32 => facts::<elf::FileHeader32<Endianness>, _>(&cache),
            FileKind::Elf64 => facts::<elf::FileHeader64<Endianness>, _>(&cache),
            _ => return Err(NotElf::Format),
        };
        facts.map_err(|error| NotElf::Broken(error.to_string()))
    }

    /// Whether nothing else is needed to run it.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }

    /// Whether a platform's machines run it; none for an architecture that is not known here.
    #[must_use]
    pub fn runs_on(&self, platform: &Platform) -> Option<bool> {
        let machine = MACHINES.iter().find(|machine| machine.name == platform.architecture)?;
        Some(
            self.machine == machine.number
                && self.is_64 == machine.is_64
                && self.is_little_endian == machine.is_little_endian,
        )
    }

    /// The architecture that it is made for, in OCI's words.
    #[must_use]
    pub fn architecture(&self) -> String {
        let known = MACHINES.iter().find(|machine| {
            (machine.number, machine.is_64, machine.is_little_endian)
                == (self.machine, self.is_64, self.is_little_endian)
        });
        known.map_or_else(|| format!("ELF machine {}", self.machine), |known| known.name.to_owned())
    }
}

/// An architecture in OCI's words and in ELF's numbers.
struct Machine {
    name: &'static str,
    number: u16,
    is_64: bool,
    is_little_endian: bool,
}

const fn machine(name: &'static str, number: u16, is_64: bool, is_little_endian: bool) -> Machine {
    Machine { name, number, is_64, is_little_endian }
}

const MACHINES: [Machine; 10] = [
    machine("amd64", elf::EM_X86_64.0, true, true),
    machine("arm64", elf::EM_AARCH64.0, true, true),
    machine("arm", elf::EM_ARM.0, false, true),
    machine("386", elf::EM_386.0, false, true),
    machine("riscv64", elf::EM_RISCV.0, true, true),
    machine("ppc64le", elf::EM_PPC64.0, true, true),
    machine("ppc64", elf::EM_PPC64.0, true, false),
    machine("s390x", elf::EM_S390.0, true, false),
    machine("loong64", elf::EM_LOONGARCH.0, true, true),
    machine("mips64le", elf::EM_MIPS.0, true, true),
];

/// The facts in the headers of either width. Section headers are not asked: a stripped executable
/// need not have them, and the loader does not look at them either.
fn facts<'data, H, R>(data: R) -> object::Result<ElfFacts>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let segments = header.program_headers(endian, data)?;
    let mut facts = ElfFacts {
        machine: header.e_machine(endian).0,
        is_64: header.is_type_64(),
        is_little_endian: header.is_little_endian(),
        interpreter: None,
        needed: Vec::new(),
        search: Vec::new(),
    };
    for segment in segments {
        if segment.p_filesz(endian).into() > LARGEST_SEGMENT {
            continue; // code or data, of no interest here
        }
        if let Some(path) = segment.interpreter(endian, data)? {
            facts.interpreter = Some(String::from_utf8_lossy(path).into_owned());
        }
        if let Some(entries) = segment.dynamic(endian, data)? {
            let value = |tag| {
                let found = entries.iter().find(|entry| entry.tag(endian) == tag)?;
                Some(found.val(endian))
            };
            let strings = value(elf::DT_STRTAB).and_then(|address| {
                offset(segments, endian, address).map(|at| (at, value(elf::DT_STRSZ).unwrap_or(0)))
            });
            let Some(strings) = strings else { continue };
            for entry in entries.iter().take_while(|entry| entry.tag(endian) != elf::DT_NULL) {
                let list = match entry.tag(endian) {
                    elf::DT_NEEDED => &mut facts.needed,
                    elf::DT_RUNPATH | elf::DT_RPATH => &mut facts.search,
                    _ => continue,
                };
                let text = string(data, strings, entry.val(endian));
                list.extend(text.filter(|_| list.len() < MOST_NEEDED));
            }
        }
    }
    Ok(facts)
}

/// Where in the file an address is loaded from.
fn offset<S: ProgramHeader<Endian = Endianness>>(
    segments: &[S],
    endian: Endianness,
    address: u64,
) -> Option<u64> {
    segments.iter().filter(|segment| segment.p_type(endian) == elf::PT_LOAD).find_map(|segment| {
        let within = address.checked_sub(segment.p_vaddr(endian).into())?;
        (within < segment.p_filesz(endian).into())
            .then(|| segment.p_offset(endian).into().checked_add(within))?
    })
}

/// A text of a string table that lies at an offset and has a length.
fn string<'data, R: ReadRef<'data>>(data: R, table: (u64, u64), at: u64) -> Option<String> {
    let (start, size) = table;
    let end = start.checked_add(size.min(at.checked_add(LONGEST_STRING)?))?;
    let bytes = data.read_bytes_at_until(start.checked_add(at)?..end, 0).ok()?;
    Some(String::from_utf8_lossy(bytes).into_owned())
}

/// Reads an open file by offset, for [`ReadCache`].
struct Headers<'a> {
    file: &'a OpenedFile,
    position: u64,
}

impl ReadCacheOps for Headers<'_> {
    fn len(&mut self) -> Result<u64, ()> {
        Ok(self.file.size())
    }

    fn seek(&mut self, position: u64) -> Result<u64, ()> {
        self.position = position;
        Ok(position)
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ()> {
        let count = self.file.read_at(buffer, self.position).map_err(|_| ())?;
        self.position += count as u64;
        Ok(count)
    }

    fn read_exact(&mut self, buffer: &mut [u8]) -> Result<(), ()> {
        let wanted = buffer.len();
        self.read(buffer).and_then(|count| if count == wanted { Ok(()) } else { Err(()) })
    }
}

#[cfg(test)]
pub(super) mod tests;
