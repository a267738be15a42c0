//! The resources of one place.

use super::ResourceId;

/// A value for each resource of one place, sorted. Most places have one or two resources, and a topology has thousands of
/// places. A list takes less memory than a tree, which takes kilobytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources<T>(Vec<(ResourceId, T)>);

impl<T> Resources<T> {
    fn position(&self, id: &ResourceId) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(id))
    }

    /// The value of a resource.
    pub fn get(&self, id: &ResourceId) -> Option<&T> {
        self.position(id).ok().map(|at| &self.0[at].1)
    }

    /// The value of a resource, for changes.
    pub fn get_mut(&mut self, id: &ResourceId) -> Option<&mut T> {
        self.position(id).ok().map(|at| &mut self.0[at].1)
    }

    /// Whether a resource has a value.
    pub fn contains_key(&self, id: &ResourceId) -> bool {
        self.position(id).is_ok()
    }

    /// None yet, with room for so many.
    pub fn with_capacity(count: usize) -> Self {
        Self(Vec::with_capacity(count))
    }

    /// Sets the value of a resource, and returns its value before.
    pub fn insert(&mut self, id: ResourceId, value: T) -> Option<T> {
        match self.position(&id) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                // A list that grows by itself begins with room for four.
                self.0.reserve_exact(1);
                self.0.insert(at, (id, value));
                None
            }
        }
    }

    /// Removes a resource, and returns its value.
    pub fn remove(&mut self, id: &ResourceId) -> Option<T> {
        self.position(id).ok().map(|at| self.0.remove(at).1)
    }

    /// Removes all resources.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Keeps only the resources for which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&ResourceId, &mut T) -> bool) {
        self.0.retain_mut(|(id, value)| keep(id, value));
    }

    /// Whether there are no resources.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Number of resources.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// All resources with their values, sorted by resource.
    pub fn iter(&self) -> ResourceIter<'_, T> {
        self.0.iter().map(as_pair)
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&ResourceId, &mut T)> {
        self.0.iter_mut().map(|(id, value)| (&*id, value))
    }

    /// All resources, sorted.
    pub fn keys(&self) -> impl Iterator<Item = &ResourceId> {
        self.0.iter().map(|(id, _)| id)
    }

    /// All values, sorted by resource.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    /// All values, for changes.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

/// An iterator over resources.
pub type ResourceIter<'a, T> =
    std::iter::Map<std::slice::Iter<'a, (ResourceId, T)>, fn(&(ResourceId, T)) -> (&ResourceId, &T)>;

fn as_pair<T>((id, value): &(ResourceId, T)) -> (&ResourceId, &T) {
    (id, value)
}

impl<T> Default for Resources<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Extend<(ResourceId, T)> for Resources<T> {
    fn extend<I: IntoIterator<Item = (ResourceId, T)>>(&mut self, pairs: I) {
        for (id, value) in pairs {
            self.insert(id, value);
        }
    }
}

impl<T> FromIterator<(ResourceId, T)> for Resources<T> {
    fn from_iter<I: IntoIterator<Item = (ResourceId, T)>>(pairs: I) -> Self {
        let mut resources = Self::default();
        resources.extend(pairs);
        resources
    }
}

impl<T, const N: usize> From<[(ResourceId, T); N]> for Resources<T> {
    fn from(pairs: [(ResourceId, T); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<T> IntoIterator for Resources<T> {
    type Item = (ResourceId, T);
    type IntoIter = std::vec::IntoIter<(ResourceId, T)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Resources<T> {
    type Item = (&'a ResourceId, &'a T);
    type IntoIter = ResourceIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn it_does_what_a_tree_does() {
        let id = |number: usize| format!("b/k{}", number % 5).parse::<ResourceId>().expect("resource");
        let (mut list, mut tree) = (Resources::default(), BTreeMap::new());
        for step in 0..200 {
            let number = step * 7919 % 31;
            if number % 3 == 0 {
                assert_eq!(list.remove(&id(number)), tree.remove(&id(number)));
            } else {
                assert_eq!(list.insert(id(number), step), tree.insert(id(number), step));
            }
            assert_eq!(list.get(&id(step)), tree.get(&id(step)));
            assert!(list.iter().eq(&tree) && list.keys().eq(tree.keys()) && list.len() == tree.len());
        }
        list.retain(|_, value| *value % 2 == 0);
        tree.retain(|_, value| *value % 2 == 0);
        assert!(list.into_iter().eq(tree));
    }
}
