//! Reads and writes values in their text form.

/// Implements `Serialize` or `Debug` by `Display`, or `Deserialize` by `FromStr`: the word before the type says which. A constant
/// parameter of the type stands behind it.
macro_rules! serde_text {
    (Serialize $type:ty $(, $parameter:tt: $of:ty)?) => {
        impl$(<const $parameter: $of>)? serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
    (Debug $type:ty $(, $parameter:tt: $of:ty)?) => {
        impl$(<const $parameter: $of>)? std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
    (Deserialize $type:ty $(, $parameter:tt: $of:ty)?) => {
        impl<'de $(, const $parameter: $of)?> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use serde_text;
