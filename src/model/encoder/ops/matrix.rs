//! Single-threaded matrix products on strided views, by the crate `gemm`.

/// A matrix of `f32` inside a slice, at any strides.
#[derive(Clone, Copy)]
pub struct View<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_stride: usize,
    col_stride: usize,
}

impl<'a> View<'a> {
    /// A `rows` by `cols` matrix whose rows lie `row_stride` apart, from the start of `data`.
    ///
    /// # Panics
    /// If the matrix does not fit into `data`.
    pub fn new(data: &'a [f32], rows: usize, cols: usize, row_stride: usize) -> Self {
        assert!(rows == 0 || cols == 0 || (rows - 1) * row_stride + cols <= data.len());
        View { data, rows, cols, row_stride, col_stride: 1 }
    }

    /// The transposed matrix, without a copy.
    pub fn t(self) -> Self {
        View {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
            ..self
        }
    }
}

/// `dst = keep · dst + scale · lhs · rhs`, where `dst` has rows `dst_stride` apart and
/// `keep` is 1 if `accumulate` is set, else 0.
///
/// # Panics
/// If the shapes do not fit each other or `dst`.
pub fn multiply(
    dst: &mut [f32],
    dst_stride: usize,
    lhs: View,
    rhs: View,
    scale: f32,
    accumulate: bool,
) {
    let (m, k, n) = (lhs.rows, lhs.cols, rhs.cols);
    assert_eq!(k, rhs.rows, "inner dimensions of a matrix product");
    if m == 0 || n == 0 {
        return;
    }
    assert!((m - 1) * dst_stride + n <= dst.len());
    // SAFETY: the views check at their making that every element lies inside their slice, the
    // line above checks the same of `dst`, and `dst` cannot overlap the shared slices.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            dst.as_mut_ptr(),
            1,
            dst_stride as isize,
            accumulate,
            lhs.data.as_ptr(),
            lhs.col_stride as isize,
            lhs.row_stride as isize,
            rhs.data.as_ptr(),
            rhs.col_stride as isize,
            rhs.row_stride as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiplies_transposed_and_accumulates() {
        // [1 2; 3 4] · [5 6; 7 8]ᵀ = [17 23; 39 53]
        let a = [1., 2., 3., 4.];
        let b = [5., 6., 7., 8.];
        let mut c = [1.; 4];
        multiply(&mut c, 2, View::new(&a, 2, 2, 2), View::new(&b, 2, 2, 2).t(), 2.0, true);
        assert_eq!(c, [35., 47., 79., 107.]);
    }
}
