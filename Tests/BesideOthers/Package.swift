// swift-tools-version: 6.2
import PackageDescription

// What RabbitMQ is used beside. It is a package of its own, so that nobody who uses the library clones these.
let package = Package(
    name: "BesideOthers",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "rabbitmq-swift", path: "../.."),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.30.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.10.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        .executableTarget(
            name: "BesideOthers",
            dependencies: [
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
                .product(name: "RabbitMQ", package: "rabbitmq-swift"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            path: "Sources"
        )
    ],
    swiftLanguageModes: [.v6]
)
