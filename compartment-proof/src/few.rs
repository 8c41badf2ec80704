//! A handful of things, without an allocation: worlds ask for millions of such handfuls.

/// At most sixteen things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Few<T> {
    things: [Option<T>; 16],
    count: usize,
}

impl<T: Copy> Few<T> {
    /// None yet.
    pub(crate) const fn new() -> Self {
        Self { things: [None; 16], count: 0 }
    }

    /// One more, unless there are sixteen.
    pub(crate) const fn push(&mut self, thing: T) {
        if self.count < self.things.len() {
            self.things[self.count] = Some(thing);
            self.count += 1;
        }
    }

    /// How many.
    pub(crate) const fn count(&self) -> usize {
        self.count
    }

    /// The thing at a place.
    pub(crate) fn get(&self, place: usize) -> Option<T> {
        self.things.get(place).copied().flatten()
    }

    /// All, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        self.things.iter().copied().flatten()
    }
}

impl<T: Copy> Default for Few<T> {
    fn default() -> Self {
        Self::new()
    }
}
