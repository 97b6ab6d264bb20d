// swift-tools-version: 6.1
import PackageDescription

// What libFuzzer calls. It is a package of its own, because it links with `-sanitize=fuzzer` only: scripts/fuzz.sh builds it.
let package = Package(
    name: "Fuzzing",
    dependencies: [.package(name: "rabbitmq-swift", path: "../..")],
    targets: [
        .executableTarget(
            name: "ParserFuzzer",
            dependencies: [.product(name: "RabbitMQ", package: "rabbitmq-swift")],
            path: "Sources"
        )
    ],
    swiftLanguageModes: [.v6]
)
