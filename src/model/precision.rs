//! The precision in which a model scores.

use std::str::FromStr;

use candle_core::{DType, Device};
use serde::{Deserialize, Serialize};

use super::bundle::Meta;
use super::encoder::inference::{Weights, int8_is_fast};
use crate::error::{Error, Result};

/// Most that 8-bit weights may cost a layer in macro-F1 for `auto` to take them.
pub const MOST_INT8_LOSS: f64 = 0.005;

/// What the user asks for; in a file by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum PrecisionChoice {
    /// The fastest on this device that is as good: on the CPU 8-bit weights, where the bundle
    /// records that no layer loses more than [`MOST_INT8_LOSS`] by them and the CPU has
    /// instructions for them, else `f32`; on a GPU `bf16`.
    #[default]
    Auto,
    /// This one.
    Exactly(Precision),
}

/// What the model runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit floats.
    F32,
    /// 8-bit integer weights and inputs of the linear layers, the rest in `f32`. CPU only.
    Int8,
    /// 16-bit floats with the range of `f32`. GPU only.
    Bf16,
    /// 16-bit floats. GPU only.
    F16,
}

impl PrecisionChoice {
    /// The precision for a bundle on a device.
    ///
    /// # Errors
    /// If the device does not offer the one that was asked for.
    pub fn choose(self, meta: &Meta, device: &Device) -> Result<Precision> {
        let precision = match self {
            PrecisionChoice::Exactly(precision) => precision,
            PrecisionChoice::Auto if !device.is_cpu() => Precision::Bf16,
            PrecisionChoice::Auto => {
                let as_good = meta.int8_loss.is_some_and(|loss| loss <= MOST_INT8_LOSS);
                if as_good && int8_is_fast() { Precision::Int8 } else { Precision::F32 }
            }
        };
        let offered = match precision {
            Precision::F32 => true,
            Precision::Int8 => device.is_cpu(),
            Precision::Bf16 | Precision::F16 => !device.is_cpu(),
        };
        if offered {
            return Ok(precision);
        }
        let (place, hint) = if device.is_cpu() {
            ("the CPU", "use f32, int8 or auto")
        } else {
            ("a GPU", "use f32, bf16, f16 or auto")
        };
        Err(Error::setting(format!("precision {} is not offered on {place}", precision.name()))
            .with_hint(hint))
    }
}

impl PrecisionChoice {
    /// The precision for a model that knows 32-bit floats alone.
    ///
    /// # Errors
    /// If another was asked for.
    pub(super) fn only_f32(self) -> Result<Precision> {
        match self {
            PrecisionChoice::Auto | PrecisionChoice::Exactly(Precision::F32) => Ok(Precision::F32),
            PrecisionChoice::Exactly(other) => Err(Error::setting(format!(
                "precision {} is not offered for this family of models",
                other.name()
            ))
            .with_hint("use f32 or auto")),
        }
    }
}

impl Precision {
    /// Its name, as it is given and recorded.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Int8 => "int8",
            Precision::Bf16 => "bf16",
            Precision::F16 => "f16",
        }
    }

    /// The type of the tensors.
    pub(super) fn dtype(self) -> DType {
        match self {
            Precision::F32 | Precision::Int8 => DType::F32,
            Precision::Bf16 => DType::BF16,
            Precision::F16 => DType::F16,
        }
    }

    /// How the CPU's own layout of the encoder keeps its weights; `None` on other devices.
    pub(super) fn weights_on(self, device: &Device) -> Option<Weights> {
        match self {
            _ if !device.is_cpu() => None,
            Precision::Int8 => Some(Weights::Int8),
            _ => Some(Weights::F32),
        }
    }
}

impl TryFrom<String> for PrecisionChoice {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        name.parse()
    }
}

impl From<PrecisionChoice> for String {
    fn from(choice: PrecisionChoice) -> String {
        match choice {
            PrecisionChoice::Auto => "auto".into(),
            PrecisionChoice::Exactly(precision) => precision.name().into(),
        }
    }
}

impl FromStr for PrecisionChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        use Precision::{Bf16, F16, F32, Int8};
        if text == "auto" {
            return Ok(PrecisionChoice::Auto);
        }
        [F32, Int8, Bf16, F16]
            .into_iter()
            .find(|p| p.name() == text)
            .map(PrecisionChoice::Exactly)
            .ok_or_else(|| {
                Error::setting(format!("there is no precision {text:?}"))
                    .with_hint("use auto, f32, int8, bf16 or f16")
            })
    }
}
