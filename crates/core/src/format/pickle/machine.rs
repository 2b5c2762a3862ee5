//! The stack and memo of a pickle, of which only texts and globals are remembered.

use std::collections::HashMap;

use super::super::bytes::Stop;
use super::super::globals;

/// The most values on the stack.
const MOST_VALUES: usize = 1 << 22;
/// The most marks on the stack.
const MOST_MARKS: usize = 1 << 20;
/// The most values in the memo.
const MOST_MEMO: usize = 1 << 21;
/// The most globals of one pickle.
const MOST_GLOBALS: usize = 10_000;
/// A longer text is no name.
const MOST_NAME_BYTES: u64 = 1_024;

/// A value on the stack.
#[derive(Clone, Copy, Debug)]
pub(super) enum Value {
    /// A text, by where it stands.
    Text { at: u64, length: u16, is_escaped: bool },
    /// A global, by its number.
    Global(u32),
    /// What the loader gives for a name of its own: a storage, or a class that the pickle imported before.
    Persistent,
    /// Anything else.
    Other,
}

impl Value {
    pub(super) fn text(at: u64, length: u64) -> Self {
        Self::new(at, length, false)
    }

    /// A text in which a backslash is the beginning of another character.
    pub(super) fn escaped(at: u64, length: u64) -> Self {
        Self::new(at, length, true)
    }

    fn new(at: u64, length: u64, is_escaped: bool) -> Self {
        // One byte too many says that it is too long.
        let length = u16::try_from(length.min(MOST_NAME_BYTES + 1)).unwrap_or(u16::MAX);
        Self::Text { at, length, is_escaped }
    }

    pub(super) const fn is_too_long(length: u16) -> bool {
        length as u64 > MOST_NAME_BYTES
    }
}

/// What is imported.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Global {
    pub(super) module: String,
    pub(super) name: String,
    pub(super) is_harmless: bool,
}

impl Global {
    pub(super) fn new(module: Option<String>, name: Option<String>) -> Self {
        let is_harmless = match (&module, &name) {
            (Some(module), Some(name)) => globals::is_harmless(module, name),
            _ => false,
        };
        let unknown = || "(a name that is computed)".to_owned();
        match (module, name) {
            (None, Some(name)) if name.starts_with("extension ") => Self { module: String::new(), name, is_harmless },
            (module, name) => {
                Self { module: module.unwrap_or_else(unknown), name: name.unwrap_or_else(unknown), is_harmless }
            }
        }
    }

    pub(super) fn display(&self) -> String {
        if self.module.is_empty() { self.name.clone() } else { format!("{}.{}", self.module, self.name) }
    }
}

#[derive(Debug, Default)]
pub(super) struct Machine {
    stack: Vec<Value>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Value>,
    globals: Vec<Global>,
    numbers: HashMap<Global, u32>,
    /// Something was too much to be kept.
    pub(super) is_full: bool,
}

impl Machine {
    pub(super) fn push(&mut self, value: Value) -> Result<(), Stop> {
        if self.stack.len() == MOST_VALUES {
            return Err(self.full(MOST_VALUES, "values on the stack"));
        }
        self.stack.push(value);
        Ok(())
    }

    fn full(&mut self, most: usize, of: &str) -> Stop {
        self.is_full = true;
        Stop::malformed(format!("at most {most} {of} are expected, found more"))
    }

    fn fence(&self) -> usize {
        self.marks.last().copied().unwrap_or_default()
    }

    pub(super) fn pop(&mut self) -> Result<Value, Stop> {
        if self.stack.len() == self.fence() {
            return Err(empty());
        }
        self.stack.pop().ok_or_else(empty)
    }

    pub(super) fn top(&self) -> Result<Value, Stop> {
        if self.stack.len() == self.fence() {
            return Err(empty());
        }
        self.stack.last().copied().ok_or_else(empty)
    }

    pub(super) fn mark(&mut self) -> Result<(), Stop> {
        if self.marks.len() == MOST_MARKS {
            return Err(self.full(MOST_MARKS, "marks on the stack"));
        }
        self.marks.push(self.stack.len());
        Ok(())
    }

    /// Takes everything above the last mark, and the mark; gives the lowest of it.
    pub(super) fn pop_to_mark(&mut self) -> Result<Option<Value>, Stop> {
        let mark = self.marks.pop().ok_or_else(|| Stop::malformed("a mark on the stack is expected, found none"))?;
        let lowest = self.stack.get(mark).copied();
        self.stack.truncate(mark);
        Ok(lowest)
    }

    pub(super) fn pop_or_unmark(&mut self) -> Result<(), Stop> {
        if self.marks.last() == Some(&self.stack.len()) {
            self.marks.pop();
            return Ok(());
        }
        self.pop().map(|_| ())
    }

    pub(super) fn get(&mut self, key: u64) -> Result<(), Stop> {
        let value = self.memo.get(&key).copied();
        self.push(value.ok_or_else(|| Stop::malformed(format!("memo {key} is expected, found nothing there")))?)
    }

    pub(super) fn put(&mut self, key: u64) -> Result<(), Stop> {
        let value = self.top()?;
        if self.memo.len() == MOST_MEMO && !self.memo.contains_key(&key) {
            return Err(self.full(MOST_MEMO, "values in the memo"));
        }
        self.memo.insert(key, value);
        Ok(())
    }

    /// Puts under the next number, which is how many there are.
    pub(super) fn memoize(&mut self) -> Result<(), Stop> {
        self.put(self.memo.len() as u64)
    }

    /// The number of a global, and whether it is a new one.
    pub(super) fn intern(&mut self, global: Global) -> Result<(u32, bool), Stop> {
        if let Some(number) = self.numbers.get(&global) {
            return Ok((*number, false));
        }
        let number = u32::try_from(self.globals.len()).ok().filter(|_| self.globals.len() < MOST_GLOBALS);
        let number = number.ok_or_else(|| self.full(MOST_GLOBALS, "globals"))?;
        self.globals.push(global.clone());
        self.numbers.insert(global, number);
        Ok((number, true))
    }

    pub(super) fn global(&self, number: u32) -> &Global {
        &self.globals[number as usize]
    }
}

fn empty() -> Stop {
    Stop::malformed("a value on the stack is expected, found none")
}
