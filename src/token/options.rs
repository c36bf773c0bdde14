//! What a token is bound to, as the bit set that travels beside it (seed, step 2).

use std::fmt;

/// A set of bindings: `options` of the seed's responses. No bit beyond the five can be in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options(u8);

impl Options {
    /// Bound to the stream alone.
    pub const NONE: Options = Options(0);
    /// Bound to an end of validity.
    pub const EXPIRES: Options = Options(1);
    /// Bound to the client's address.
    pub const IP: Options = Options(2);
    /// Bound to the host of the embedding page.
    pub const REFERER: Options = Options(4);
    /// Bound to a text of the minter's choice.
    pub const TAG: Options = Options(8);
    /// Bound to every stream of an organisation in place of one stream.
    pub const ORGA: Options = Options(16);

    const KNOWN: u8 = 31;

    /// The set of these bits, or `None` where one of them has no meaning.
    pub fn from_bits(bits: u8) -> Option<Options> {
        (bits & !Options::KNOWN == 0).then_some(Options(bits))
    }

    /// The set as a number, 0 to 31.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether every bit of `other` is set in this one.
    pub fn contains(self, other: Options) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both.
    #[must_use]
    pub fn union(self, other: Options) -> Options {
        Options(self.0 | other.0)
    }
}

/// The decimal number, as the query parameter carries it.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn the_seeds_examples_have_its_numbers() {
        let a = Options::EXPIRES.union(Options::TAG);
        assert_eq!(a.bits(), 9);
        assert_eq!(a.union(Options::ORGA).bits(), 25);
        assert_eq!(Options::IP.bits(), 2);
        assert_eq!(Options::REFERER.union(Options::TAG).bits(), 12);
    }

    #[test]
    fn only_five_bits_are_known() {
        for bits in 0..=u8::MAX {
            let options = Options::from_bits(bits);
            assert_eq!(options.map(Options::bits), (bits < 32).then_some(bits));
        }
    }
}
