extension Sequence<Int64> {
    /// The sum, or the largest number there is: sizes in manifests are what strangers wrote.
    package var saturatingSum: Int64 {
        reduce(0) { sum, size in
            let (result, overflows) = sum.addingReportingOverflow(size)
            return overflows ? .max : result
        }
    }
}
