// swift-tools-version:5.4
import PackageDescription

// What libFuzzer calls. It is a package of its own, because it links with `-sanitize=fuzzer` only: scripts/fuzz.sh builds it.
//
// Its tools version stays below 5.5: from there on SwiftPM links an executable with `--defsym main=ParserFuzzer_main`, which
// nobody defines here, as libFuzzer brings the `main`.
let package = Package(
    name: "Fuzzing",
    dependencies: [.package(name: "rabbitmq-swift", path: "../..")],
    targets: [
        .executableTarget(
            name: "ParserFuzzer",
            dependencies: [.product(name: "RabbitMQ", package: "rabbitmq-swift")],
            path: "Sources"
        )
    ]
)
