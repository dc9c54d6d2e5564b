//! Where the model runs.

use std::str::FromStr;

use candle_core::Device;
use candle_core::utils::cuda_is_available;

use crate::error::{Error, Result};

/// A device as the user names it: `cpu`, `cuda`, `cuda:N`, `cuda:N,M,…` or `auto`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU where this build and machine have one, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The NVIDIA GPUs of these numbers, which share the work.
    Cuda(Vec<usize>),
}

impl DeviceChoice {
    /// Opens the device, the first where there are several.
    ///
    /// # Errors
    /// If a GPU was asked for and the build or the machine has none.
    pub fn open(&self) -> Result<Device> {
        match self {
            DeviceChoice::Cuda(numbers) if cuda_is_available() => {
                open_gpu(numbers.first().copied().unwrap_or_default())
            }
            _ => Ok(self.open_all()?.swap_remove(0)),
        }
    }

    /// Opens all devices that are named.
    ///
    /// # Errors
    /// If a GPU was asked for and the build or the machine has none.
    pub fn open_all(&self) -> Result<Vec<Device>> {
        match self {
            DeviceChoice::Cpu => Ok(vec![Device::Cpu]),
            DeviceChoice::Auto => Ok(vec![Device::cuda_if_available(0).unwrap_or(Device::Cpu)]),
            DeviceChoice::Cuda(_) if !cuda_is_available() => {
                Err(Error::setting("this build of parallax has no support for NVIDIA GPUs")
                    .with_hint("build it with `--features cuda`, or use --device cpu"))
            }
            DeviceChoice::Cuda(numbers) => numbers.iter().map(|n| open_gpu(*n)).collect(),
        }
    }
}

fn open_gpu(n: usize) -> Result<Device> {
    Device::new_cuda(n).map_err(|e| {
        Error::setting(format!("GPU {n} cannot be used: {e}"))
            .with_hint("see `nvidia-smi` for the GPUs there are, or use --device cpu")
    })
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || {
            Error::setting(format!("there is no device {text:?}"))
                .with_hint("use auto, cpu, cuda, cuda:N or, for several GPUs, cuda:N,M")
        };
        match text.split_once(':') {
            None if text == "auto" => Ok(DeviceChoice::Auto),
            None if text == "cpu" => Ok(DeviceChoice::Cpu),
            None if text == "cuda" => Ok(DeviceChoice::Cuda(vec![0])),
            Some(("cuda", numbers)) => {
                let numbers: Option<Vec<usize>> =
                    numbers.split(',').map(|n| n.trim().parse().ok()).collect();
                let numbers = numbers.ok_or_else(unknown)?;
                let distinct: std::collections::HashSet<_> = numbers.iter().collect();
                if distinct.len() < numbers.len() {
                    return Err(Error::setting(format!("{text:?} names a GPU twice")));
                }
                Ok(DeviceChoice::Cuda(numbers))
            }
            _ => Err(unknown()),
        }
    }
}

/// `cpu`, `cuda:N` or `cuda:N,M,…`, for `run.json`.
pub fn name<'a>(devices: impl IntoIterator<Item = &'a Device>) -> String {
    let mut names: Vec<String> = devices.into_iter().map(name_of_one).collect();
    for further in names.iter_mut().skip(1) {
        *further = further.split(':').next_back().unwrap_or_default().to_owned();
    }
    names.join(",")
}

fn name_of_one(device: &Device) -> String {
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
        assert_eq!("cuda:3".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(vec![3]));
        assert_eq!("cuda:0,1".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(vec![0, 1]));
        assert!("cuda:1,1".parse::<DeviceChoice>().is_err());
        assert_eq!("auto".parse::<DeviceChoice>().unwrap(), DeviceChoice::Auto);
        assert!("gpu".parse::<DeviceChoice>().unwrap_err().hint().is_some());
        assert!("cuda:x".parse::<DeviceChoice>().is_err());
    }
}
