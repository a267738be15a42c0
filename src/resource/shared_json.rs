//! JSON that many records share.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde_json::Value;

/// A JSON value that is cheap to clone. The default is null, which takes no memory.
#[derive(Clone, Default)]
pub struct SharedJson(Option<Arc<Value>>);

static NULL: Value = Value::Null;

impl SharedJson {
    /// The value, for changes of this record alone. None if it is null.
    pub fn make_mut(&mut self) -> Option<&mut Value> {
        self.0.as_mut().map(Arc::make_mut)
    }
}

impl Deref for SharedJson {
    type Target = Value;

    fn deref(&self) -> &Value {
        self.0.as_deref().unwrap_or(&NULL)
    }
}

impl From<Value> for SharedJson {
    fn from(value: Value) -> Self {
        Self((!value.is_null()).then(|| Arc::new(value)))
    }
}

impl PartialEq for SharedJson {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
            (None, None) => true,
            _ => false,
        }
    }
}

impl fmt::Debug for SharedJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}
