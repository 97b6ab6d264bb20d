#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

extension ProcessMeasure {
    /// What is allocated at present in bytes, as glibc's `malloc_info` says; nil where there is none.
    ///
    /// Resident memory has also what is free in the allocator's arenas, which is more after a time in which many threads
    /// waited for a processor: this tells that from what is kept.
    public static var allocatedMemory: Int? {
        typealias Report = @convention(c) (CInt, UnsafeMutablePointer<FILE>) -> CInt
        guard let symbol = dlsym(nil, "malloc_info") else { return nil }
        var text: UnsafeMutablePointer<CChar>?
        var size = 0
        guard let stream = open_memstream(&text, &size) else { return nil }
        let failed = unsafeBitCast(symbol, to: Report.self)(0, stream) != 0
        fclose(stream)
        defer { free(text) }
        guard !failed, let text else { return nil }
        let lines = String(cString: text).split(separator: "\n")
        // Those of all arenas come last.
        func bytes(_ name: String) -> Int? {
            guard let line = lines.last(where: { $0.hasPrefix("<\(name)") }),
                let value = line.firstMatch(of: #/size="([0-9]+)"/#)
            else { return nil }
            return Int(value.1)
        }
        guard let taken = bytes("system type=\"current\""), let free = bytes("total type=\"rest\""),
            let bins = bytes("total type=\"fast\"")
        else { return nil }
        return taken - free - bins + (bytes("total type=\"mmap\"") ?? 0)
    }
}
