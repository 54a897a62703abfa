//! IPv4 address blocks: `172.31.0.0/20`.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// A block of addresses: its first one, and how many leading bits all of them share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    first: u32,
    bits: u8,
}

impl Cidr {
    /// The block of `bits` leading bits that holds `address`; more than 32 bits are 32.
    pub fn new(address: Ipv4Addr, bits: u8) -> Self {
        let bits = bits.min(32);
        Self {
            first: address.to_bits() & mask(bits),
            bits,
        }
    }

    pub fn bits(self) -> u8 {
        self.bits
    }

    /// How many addresses it holds.
    pub fn size(self) -> u64 {
        1 << (32 - self.bits)
    }

    /// The address at this place in the block; past its end, it starts over.
    pub fn address(self, place: u64) -> Ipv4Addr {
        let place = u32::try_from(place % self.size()).unwrap_or(0);
        Ipv4Addr::from_bits(self.first.wrapping_add(place))
    }

    /// The place of an address in the block; `None` if it is not in it.
    pub fn place(self, address: Ipv4Addr) -> Option<u64> {
        let is_inside = address.to_bits() & mask(self.bits) == self.first;
        is_inside.then(|| u64::from(address.to_bits() - self.first))
    }

    pub fn contains(self, other: Cidr) -> bool {
        self.bits <= other.bits && other.first & mask(self.bits) == self.first
    }

    pub fn overlaps(self, other: Cidr) -> bool {
        self.contains(other) || other.contains(self)
    }
}

fn mask(bits: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0)
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from_bits(self.first), self.bits)
    }
}

impl FromStr for Cidr {
    type Err = ();

    /// As EC2 does, an address in the middle of the block means the block.
    fn from_str(text: &str) -> Result<Self, ()> {
        let (address, bits) = text.split_once('/').ok_or(())?;
        let bits: u8 = bits.parse().map_err(drop)?;
        if bits > 32 {
            return Err(());
        }
        Ok(Cidr::new(address.parse().map_err(drop)?, bits))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_their_own_addresses_and_no_others() {
        let vpc: Cidr = "172.31.0.0/16".parse().unwrap();
        let subnet: Cidr = "172.31.16.0/20".parse().unwrap();
        let next: Cidr = "172.31.32.0/20".parse().unwrap();
        assert!(vpc.contains(subnet) && vpc.overlaps(subnet) && subnet.overlaps(vpc));
        assert!(!subnet.contains(vpc) && !subnet.overlaps(next));
        assert_eq!(
            (subnet.size(), subnet.to_string().as_str()),
            (4096, "172.31.16.0/20")
        );
        let last: Ipv4Addr = "172.31.31.255".parse().unwrap();
        assert_eq!((subnet.place(last), subnet.address(4095)), (Some(4095), last));
        assert_eq!(next.place(last), None);
        assert_eq!("0.0.0.0/0".parse::<Cidr>().unwrap().size(), 1 << 32);
        for bad in ["172.31.0.0", "172.31.0.0/33", "172.31.0/16", "x/1"] {
            assert_eq!(bad.parse::<Cidr>(), Err(()), "{bad}");
        }
    }
}
