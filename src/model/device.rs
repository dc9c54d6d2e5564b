//! Where the model runs.

use std::str::FromStr;

use candle_core::Device;

use crate::error::{Error, Result};

/// A device as the user names it: `cpu`, `cuda`, `cuda:N` or `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU where this build and machine have one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPU of this number.
    Cuda(usize),
}

impl DeviceChoice {
    /// Opens the device.
    ///
    /// # Errors
    /// If a GPU was asked for and the build or the machine has none.
    pub fn open(self) -> Result<Device> {
        match self {
            DeviceChoice::Cpu => Ok(Device::Cpu),
            DeviceChoice::Auto => Ok(Device::cuda_if_available(0).unwrap_or(Device::Cpu)),
            DeviceChoice::Cuda(_) if !candle_core::utils::cuda_is_available() => {
                Err(Error::setting("this build of parallax has no support for NVIDIA GPUs")
                    .with_hint("build it with `--features cuda`, or use --device cpu"))
            }
            DeviceChoice::Cuda(n) => Device::new_cuda(n).map_err(|e| {
                Error::setting(format!("GPU {n} cannot be used: {e}"))
                    .with_hint("see `nvidia-smi` for the GPUs there are, or use --device cpu")
            }),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "auto" => Ok(DeviceChoice::Auto),
            None if text == "cpu" => Ok(DeviceChoice::Cpu),
            None if text == "cuda" => Ok(DeviceChoice::Cuda(0)),
            Some(("cuda", n)) if n.parse::<usize>().is_ok() => {
                Ok(DeviceChoice::Cuda(n.parse().unwrap_or_default()))
            }
            _ => Err(Error::setting(format!("there is no device {text:?}"))
                .with_hint("use auto, cpu, cuda or cuda:N")),
        }
    }
}

/// `cpu` or `cuda:N`, for `run.json`.
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".into(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_device_names() {
        assert_eq!("cuda:3".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(3));
        assert_eq!("auto".parse::<DeviceChoice>().unwrap(), DeviceChoice::Auto);
        assert!("gpu".parse::<DeviceChoice>().unwrap_err().hint().is_some());
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
    }
}
