#if !Tool
#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#endif

/// What `rmq` is without the package's trait: what it needs would otherwise be cloned by all who use the library.
@main
struct WithoutTool {
    static func main() {
        let text = "rmq: built without the trait 'Tool'; build it with: swift build --traits Tool --product rmq\n"
        let bytes = Array(text.utf8)
        _ = write(STDERR_FILENO, bytes, bytes.count)
        exit(2)
    }
}
#endif
