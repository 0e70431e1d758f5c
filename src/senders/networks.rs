//! Which of many networks an address lies in, the longest prefix first.
//!
//! Two CIDR networks are nested or disjoint, never crossing. So the address space falls into intervals, each with one
//! innermost network, and every network has at most one parent: a lookup is a binary search and a walk up.

use ipnet::IpNet;

use crate::store::ip_sort;

/// Returns the first and last address of a network, sortable.
pub fn bounds(network: IpNet) -> (u128, u128) {
    (ip_sort(network.network()), ip_sort(network.broadcast()))
}

/// A set of networks, by the place in which they were given.
#[derive(Debug, Default)]
pub struct Networks {
    /// First address of each interval, rising.
    starts: Vec<u128>,
    /// The innermost network of each interval.
    innermost: Vec<Option<usize>>,
    /// The next wider network around each network; for equal networks the one given earlier.
    parents: Vec<Option<usize>>,
}

impl Networks {
    /// Builds the lookup. Networks may be given more than once; each keeps its own place.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        let ranges: Vec<(u128, u128)> = networks.into_iter().map(bounds).collect();
        let mut order: Vec<usize> = (0..ranges.len()).collect();
        // Wider before narrower, so that each network finds its parent on the stack.
        let key = |place: &usize| ranges.get(*place).map(|(first, last)| (*first, std::cmp::Reverse(*last), *place));
        order.sort_by_key(key);
        let mut built = Self { parents: vec![None; ranges.len()], ..Self::default() };
        let mut open: Vec<(usize, u128)> = Vec::new();
        for place in order {
            let Some(&(first, last)) = ranges.get(place) else { continue };
            built.close_before(&mut open, first);
            if let Some(parent) = built.parents.get_mut(place) {
                *parent = open.last().map(|(outer, _)| *outer);
            }
            built.begin(first, Some(place));
            open.push((place, last));
        }
        built.close_before(&mut open, u128::MAX);
        built
    }

    /// Ends the open networks whose last address lies before `first`.
    fn close_before(&mut self, open: &mut Vec<(usize, u128)>, first: u128) {
        while let Some(&(_, last)) = open.last() {
            if last >= first {
                break;
            }
            open.pop();
            self.begin(last + 1, open.last().map(|(outer, _)| *outer));
        }
    }

    fn begin(&mut self, start: u128, network: Option<usize>) {
        if self.starts.last() == Some(&start) {
            if let Some(last) = self.innermost.last_mut() {
                *last = network;
            }
        } else {
            self.starts.push(start);
            self.innermost.push(network);
        }
    }

    /// Returns the place of the longest network that holds the address.
    pub fn innermost(&self, address: u128) -> Option<usize> {
        let after = self.starts.partition_point(|start| *start <= address);
        self.innermost.get(after.checked_sub(1)?).copied().flatten()
    }

    /// Returns the places of all networks that hold the address, the longest prefix first.
    pub fn holding(&self, address: u128) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(self.innermost(address), |place| self.parents.get(*place).copied().flatten())
    }
}
