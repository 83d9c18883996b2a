//! What an executable's ELF headers say about what it needs to run.
//!
//! Read piece by piece from the open file, never mapped: pages of a mapped file count as memory.

use std::collections::{BTreeMap, BTreeSet};

use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use object::read::{ReadCache, ReadCacheOps};
use object::{Endianness, FileKind, ReadRef};
use serde::{Deserialize, Serialize};

use crate::oci::Platform;
use crate::oci::file::OpenedFile;

/// More shared libraries than an executable has.
const MOST_NEEDED: usize = 1000;
/// A larger segment holds neither the loader's name nor the list of libraries.
const LARGEST_SEGMENT: u64 = 1 << 20;
/// A longer name is no path.
const LONGEST_STRING: u64 = 4096;

/// More symbol versions than a library defines or takes from another.
const MOST_VERSIONS: usize = 1000;

/// What an executable or a shared library is made for, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Where it has them looked for first (`DT_RUNPATH`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runpath: Vec<String>,
    /// The same in the older way (`DT_RPATH`), which holds for the libraries of libraries too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rpath: Vec<String>,
    /// The name that it gives itself as a library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soname: Option<String>,
    /// The symbol versions it cannot do without, by library: `GLIBC_2.34` of `libc.so.6`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wants: BTreeMap<String, BTreeSet<String>>,
    /// The symbol versions that it has.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub defines: BTreeSet<String>,
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
        Self::read_from(&ReadCache::new(Headers { file, position: 0 }))
    }

    /// Reads the headers of a file that is in memory, or of whatever else can be read by offset.
    pub(super) fn read_from<'data>(data: impl ReadRef<'data>) -> Result<Self, NotElf> {
        let facts = match FileKind::parse(data).map_err(|_| NotElf::Format)? {
            FileKind::Elf32 => facts::<elf::FileHeader32<Endianness>, _>(data),
            FileKind::Elf64 => facts::<elf::FileHeader64<Endianness>, _>(data),
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
        runpath: Vec::new(),
        rpath: Vec::new(),
        soname: None,
        wants: BTreeMap::new(),
        defines: BTreeSet::new(),
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
            let versions = Versions { data, endian, strings };
            let table = |address, count| {
                let (address, count) = (value(address)?, value(count)?);
                let count = usize::try_from(count).ok()?.min(MOST_VERSIONS);
                Some((offset(segments, endian, address)?, count))
            };
            if let Some((at, count)) = table(elf::DT_VERNEED, elf::DT_VERNEEDNUM) {
                facts.wants = versions.wanted(at, count).unwrap_or_default();
            }
            if let Some((at, count)) = table(elf::DT_VERDEF, elf::DT_VERDEFNUM) {
                facts.defines = versions.defined(at, count).unwrap_or_default();
            }
            let paths = |text: String| text.split(':').map(str::to_owned).collect::<Vec<_>>();
            for entry in entries.iter().take_while(|entry| entry.tag(endian) != elf::DT_NULL) {
                let text = || string(data, strings, entry.val(endian));
                match entry.tag(endian) {
                    elf::DT_NEEDED if facts.needed.len() < MOST_NEEDED => {
                        facts.needed.extend(text());
                    }
                    elf::DT_RUNPATH => facts.runpath = text().map(paths).unwrap_or_default(),
                    elf::DT_RPATH => facts.rpath = text().map(paths).unwrap_or_default(),
                    elf::DT_SONAME => facts.soname = text(),
                    _ => {}
                }
            }
        }
    }
    Ok(facts)
}

/// The tables of symbol versions: lists whose elements say how far it is to the next.
struct Versions<R> {
    data: R,
    endian: Endianness,
    strings: (u64, u64),
}

impl<'data, R: ReadRef<'data>> Versions<R> {
    /// The versions that are taken from other libraries, by library.
    fn wanted(&self, mut at: u64, count: usize) -> Option<BTreeMap<String, BTreeSet<String>>> {
        let (data, endian) = (self.data, self.endian);
        let mut wanted = BTreeMap::new();
        for _ in 0..count {
            let need: &elf::Verneed<Endianness> = data.read_at(at).ok()?;
            let mut names = BTreeSet::new();
            let mut entry = at.checked_add(need.vn_aux.get(endian).into())?;
            for _ in 0..usize::from(need.vn_cnt.get(endian)).min(MOST_VERSIONS) {
                let aux: &elf::Vernaux<Endianness> = data.read_at(entry).ok()?;
                if !aux.vna_flags.get(endian).contains(elf::VER_FLG_WEAK) {
                    names.extend(string(data, self.strings, aux.vna_name.get(endian).into()));
                }
                entry = entry.checked_add(aux.vna_next.get(endian).into())?;
            }
            if let Some(library) = string(data, self.strings, need.vn_file.get(endian).into()) {
                wanted.insert(library, names);
            }
            at = at.checked_add(need.vn_next.get(endian).into())?;
        }
        Some(wanted)
    }

    /// The versions that are there for others; the first of each element is its name.
    fn defined(&self, mut at: u64, count: usize) -> Option<BTreeSet<String>> {
        let (data, endian) = (self.data, self.endian);
        let mut defined = BTreeSet::new();
        for _ in 0..count {
            let definition: &elf::Verdef<Endianness> = data.read_at(at).ok()?;
            let aux = at.checked_add(definition.vd_aux.get(endian).into())?;
            let name: &elf::Verdaux<Endianness> = data.read_at(aux).ok()?;
            // The one of the library itself is its soname.
            if !definition.vd_flags.get(endian).contains(elf::VER_FLG_BASE) {
                defined.extend(string(data, self.strings, name.vda_name.get(endian).into()));
            }
            at = at.checked_add(definition.vd_next.get(endian).into())?;
        }
        Some(defined)
    }
}

/// A part of an executable by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The sections that lie in an executable's file.
pub(super) fn sections(file: &OpenedFile) -> Result<Vec<Section>, NotElf> {
    let cache = ReadCache::new(Headers { file, position: 0 });
    let kind = FileKind::parse(&cache).map_err(|_| NotElf::Format)?;
    let sections = match kind {
        FileKind::Elf32 => section_table::<elf::FileHeader32<Endianness>, _>(&cache),
        FileKind::Elf64 => section_table::<elf::FileHeader64<Endianness>, _>(&cache),
        _ => return Err(NotElf::Format),
    };
    sections.map_err(|error| NotElf::Broken(error.to_string()))
}

fn section_table<'data, H, R>(data: R) -> object::Result<Vec<Section>>
where
    H: FileHeader<Endian = Endianness>,
    R: ReadRef<'data>,
{
    let header = H::parse(data)?;
    let endian = header.endian()?;
    let table = header.sections(endian, data)?;
    let in_file = |section: &&H::SectionHeader| {
        !matches!(section.sh_type(endian), elf::SHT_NULL | elf::SHT_NOBITS)
    };
    let section = |section: &H::SectionHeader| {
        let name = String::from_utf8_lossy(table.section_name(endian, section)?).into_owned();
        let (offset, size) = (section.sh_offset(endian).into(), section.sh_size(endian).into());
        Ok(Section { name, offset, size })
    };
    table.iter().filter(in_file).map(section).collect()
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
