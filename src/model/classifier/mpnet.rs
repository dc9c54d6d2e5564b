//! MPNet (Song et al. 2020, <https://arxiv.org/abs/2004.09297>): the head is RoBERTa's.

pub(super) use super::roberta::head;
