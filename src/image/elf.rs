//! Reads from the ELF headers of an executable what it needs to run.
//!
//! The open file is read in pieces, never mapped: mapped pages count as memory of the process.

use std::collections::{BTreeMap, BTreeSet};

use object::elf;
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};
use object::read::{ReadCache, ReadCacheOps};
use object::{Endianness, FileKind, ReadRef};
use serde::{Deserialize, Serialize};

use crate::oci::Platform;
use crate::oci::file::OpenedFile;

/// The maximum number of shared libraries of an executable.
const MOST_NEEDED: usize = 1000;
/// The maximum size of a segment with the name of the loader or the list of libraries.
const LARGEST_SEGMENT: u64 = 1 << 20;
/// The maximum length of a name.
const LONGEST_STRING: u64 = 4096;

/// The maximum number of symbol versions of a library.
const MOST_VERSIONS: usize = 1000;

/// The architecture of an executable or shared library, and what it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElfFacts {
    /// The architecture in ELF, `e_machine`.
    pub machine: u16,
    /// Whether it has 64 bits.
    pub is_64: bool,
    /// Whether it is little-endian.
    pub is_little_endian: bool,
    /// Its loader: `/lib64/ld-linux-x86-64.so.2`. `None` for a static executable.
    pub interpreter: Option<String>,
    /// The shared libraries that it needs, in order.
    pub needed: Vec<String>,
    /// Its search path (`DT_RUNPATH`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runpath: Vec<String>,
    /// Its old search path (`DT_RPATH`), which also applies to the libraries that its libraries
    /// need.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rpath: Vec<String>,
    /// Its own name as a library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soname: Option<String>,
    /// The symbol versions that it needs, by library: `GLIBC_2.34` of `libc.so.6`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wants: BTreeMap<String, BTreeSet<String>>,
    /// The symbol versions that it defines.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub defines: BTreeSet<String>,
}

/// The reason why a file is not an executable for Linux.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotElf {
    /// Another format.
    #[error("it is not an ELF executable")]
    Format,
    /// Invalid headers.
    #[error("its ELF headers are broken: {0}")]
    Broken(String),
}

impl ElfFacts {
    /// Reads the headers of an open file.
    pub fn read(file: &OpenedFile) -> Result<Self, NotElf> {
        Self::read_from(&ReadCache::new(Headers { file, position: 0 }))
    }

    /// Reads the headers of a file in memory, or of anything that can be read by offset.
    pub(super) fn read_from<'data>(data: impl ReadRef<'data>) -> Result<Self, NotElf> {
        let facts = match FileKind::parse(data).map_err(|_| NotElf::Format)? {
            FileKind::Elf32 => facts::<elf::FileHeader32<Endianness>, _>(data),
            FileKind::Elf64 => facts::<elf::FileHeader64<Endianness>, _>(data),
            _ => return Err(NotElf::Format),
        };
        facts.map_err(|error| NotElf::Broken(error.to_string()))
    }

    /// Whether it needs nothing else to run.
    #[must_use]
    pub fn is_static(&self) -> bool {
        self.interpreter.is_none() && self.needed.is_empty()
    }

    /// Whether it runs on a platform, or `None` for an unknown architecture.
    #[must_use]
    pub fn runs_on(&self, platform: &Platform) -> Option<bool> {
        let machine = MACHINES.iter().find(|machine| machine.name == platform.architecture)?;
        Some(
            self.machine == machine.number
                && self.is_64 == machine.is_64
                && self.is_little_endian == machine.is_little_endian,
        )
    }

    /// Its architecture in OCI.
    #[must_use]
    pub fn architecture(&self) -> String {
        let known = MACHINES.iter().find(|machine| {
            (machine.number, machine.is_64, machine.is_little_endian)
                == (self.machine, self.is_64, self.is_little_endian)
        });
        known.map_or_else(|| format!("ELF machine {}", self.machine), |known| known.name.to_owned())
    }
}

/// The architectures of OCI and their numbers in ELF.
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

/// The facts in 32-bit or 64-bit headers. Section headers are not used: stripped executables may
/// not have them, and the loader ignores them.
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

/// The tables of symbol versions: lists whose elements contain the offset of the next one.
struct Versions<R> {
    data: R,
    endian: Endianness,
    strings: (u64, u64),
}

impl<'data, R: ReadRef<'data>> Versions<R> {
    /// The needed versions, by library.
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

    /// The defined versions. The first name of each element is its own.
    fn defined(&self, mut at: u64, count: usize) -> Option<BTreeSet<String>> {
        let (data, endian) = (self.data, self.endian);
        let mut defined = BTreeSet::new();
        for _ in 0..count {
            let definition: &elf::Verdef<Endianness> = data.read_at(at).ok()?;
            let aux = at.checked_add(definition.vd_aux.get(endian).into())?;
            let name: &elf::Verdaux<Endianness> = data.read_at(aux).ok()?;
            // The version of the library itself is its soname.
            if !definition.vd_flags.get(endian).contains(elf::VER_FLG_BASE) {
                defined.extend(string(data, self.strings, name.vda_name.get(endian).into()));
            }
            at = at.checked_add(definition.vd_next.get(endian).into())?;
        }
        Some(defined)
    }
}

/// A section of an executable, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) name: String,
    pub(super) offset: u64,
    pub(super) size: u64,
}

/// The sections in the file of an executable.
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

/// The offset in the file that is loaded at an address.
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

/// A string in a string table.
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
