//! One or more errors that are reported together.

/// A list that is not empty.
#[derive(Debug)]
pub struct Several<T> {
    before: Vec<T>,
    last: Box<T>,
}

impl<T> Several<T> {
    /// A list that ends with `last`.
    pub(super) fn new(before: Vec<T>, last: T) -> Self {
        Self { before, last: Box::new(last) }
    }

    /// A list, or `None` if there is nothing in it.
    pub(super) fn of(mut all: Vec<T>) -> Option<Self> {
        let last = all.pop()?;
        Some(Self::new(all, last))
    }

    /// The first one.
    #[must_use]
    pub fn first(&self) -> &T {
        self.before.first().unwrap_or(&self.last)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.before.iter().chain(std::iter::once(&*self.last))
    }
}
