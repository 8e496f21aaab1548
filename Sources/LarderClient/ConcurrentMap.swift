/// Maps with at most `width` calls at a time; the results keep the order of the elements.
func concurrentMap<Element: Sendable, Output: Sendable>(
    _ elements: [Element],
    width: Int,
    _ transform: @escaping @Sendable (Element) async throws -> Output
) async throws -> [Output] {
    try await withThrowingTaskGroup(of: (Int, Output).self) { group in
        var outputs = [Output?](repeating: nil, count: elements.count)
        for (index, element) in elements.enumerated() {
            if index >= width, let (done, output) = try await group.next() { outputs[done] = output }
            group.addTask { (index, try await transform(element)) }
        }
        for try await (done, output) in group { outputs[done] = output }
        return outputs.compactMap { $0 }
    }
}
