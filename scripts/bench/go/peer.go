// The peer on amqp091-go, as its documentation uses it: one goroutine per channel publishes, deliveries come from the
// channel that Consume returns, confirms from the one of NotifyPublish. See ../README.md for the calling convention.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"
)

var (
	uri         = flag.String("uri", "amqp://guest:guest@localhost:5672", "")
	ca          = flag.String("ca", "", "")
	queue       = flag.String("queue", "bench", "")
	exchange    = flag.String("exchange", "", "")
	routingKey  = flag.String("routing-key", "", "")
	messages    = flag.Int("messages", 100000, "")
	size        = flag.Int("size", 100, "")
	channels    = flag.Int("channels", 1, "")
	connections = flag.Int("connections", 1, "")
	consumers   = flag.Int("consumers", 1, "")
	window      = flag.Int("window", 1000, "")
	prefetch    = flag.Int("prefetch", 1000, "")
	warmup      = flag.Int("warmup", 0, "")
	asJSON      = flag.Bool("json", false, "")
	persistent  = flag.Bool("persistent", false, "")
)

const unsupported = 3

func quit(status int, what string, arguments ...any) {
	fmt.Fprintf(os.Stderr, what+"\n", arguments...)
	os.Exit(status)
}

func check(err error, what string) {
	if err != nil {
		quit(1, "%s: %v", what, err)
	}
}

// The measured part.

type reading struct {
	time time.Time
	cpu  time.Duration
}

func usage() syscall.Rusage {
	var u syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &u), "getrusage")
	return u
}

func readClocks() reading {
	u := usage()
	return reading{time.Now(), time.Duration(u.Utime.Nano() + u.Stime.Nano())}
}

type latency struct {
	P50  float64 `json:"p50"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

type result struct {
	Client     string   `json:"client"`
	Mode       string   `json:"mode"`
	Messages   int      `json:"messages"`
	Size       int      `json:"size"`
	Seconds    float64  `json:"seconds"`
	Rate       float64  `json:"rate"`
	CPUSeconds float64  `json:"cpu_seconds"`
	CPUEach    float64  `json:"cpu_us_per_message"`
	PeakRSS    float64  `json:"peak_rss_mb"`
	Latency    *latency `json:"latency_us,omitempty"`
}

func report(mode string, start reading, latencies []time.Duration) {
	end := readClocks()
	n, seconds, cpu := float64(*messages), end.time.Sub(start.time).Seconds(), (end.cpu - start.cpu).Seconds()
	u := usage()
	r := result{"amqp091-go", mode, *messages, *size, seconds, n / seconds, cpu, 1e6 * cpu / n,
		float64(u.Maxrss) / 1024, nil}
	if latencies != nil {
		sort.Slice(latencies, func(i, j int) bool { return latencies[i] < latencies[j] })
		at := func(p float64) float64 { return latencies[int(p*(n-1))].Seconds() * 1e6 }
		r.Latency = &latency{at(0.5), at(0.99), at(0.999), at(1)}
	}
	if *asJSON {
		check(json.NewEncoder(os.Stdout).Encode(r), "JSON")
	} else {
		fmt.Printf("%s %s: %d x %d bytes, %.0f/s, %.3f us CPU each\n", r.Client, mode, r.Messages, r.Size, r.Rate, r.CPUEach)
	}
}

// Library calls.

func connect() *amqp.Connection {
	config := amqp.Config{Heartbeat: 60 * time.Second, Locale: "en_US"}
	if *ca != "" {
		pem, err := os.ReadFile(*ca)
		check(err, "--ca")
		config.TLSClientConfig = &tls.Config{RootCAs: x509.NewCertPool()}
		config.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem)
	}
	connection, err := amqp.DialConfig(*uri, config)
	check(err, "connect")
	return connection
}

func openChannel(connection *amqp.Connection) *amqp.Channel {
	channel, err := connection.Channel()
	check(err, "channel.open")
	return channel
}

func declare(channel *amqp.Channel) amqp.Queue {
	q, err := channel.QueueDeclare(*queue, false, true, false, false, nil)
	check(err, "queue.declare")
	return q
}

// Answered once the broker has taken everything sent before on the channel.
func drained(channel *amqp.Channel) {
	_, err := channel.QueueDeclarePassive(*queue, false, true, false, false, nil)
	check(err, "queue.declare")
}

func newMessage() amqp.Publishing {
	m := amqp.Publishing{
		ContentType:  "application/octet-stream",
		DeliveryMode: amqp.Transient,
		Timestamp:    time.Now(),
		Body:         bytes.Repeat([]byte("x"), *size),
	}
	if *persistent {
		m.DeliveryMode = amqp.Persistent
	}
	return m
}

func publish(channel *amqp.Channel, exchange, key string, message amqp.Publishing) {
	check(channel.PublishWithContext(context.Background(), exchange, key, false, false, message), "basic.publish")
}

func publishMany(channel *amqp.Channel, count int, message amqp.Publishing) {
	for i := 0; i < count; i++ {
		publish(channel, *exchange, *routingKey, message)
	}
	drained(channel)
}

// Not with deferred confirmations: in 1.5 one that arrives before its publish call returns is lost, and Wait hangs
// (its issue 182).
func publishManyConfirmed(channel *amqp.Channel, confirms <-chan amqp.Confirmation, count int, message amqp.Publishing) {
	pending := 0
	wait := func() {
		if c, open := <-confirms; !open || !c.Ack {
			quit(1, "nacked, or the channel closed")
		}
		pending--
	}
	for i := 0; i < count; i++ {
		for pending >= *window {
			wait()
		}
		publish(channel, *exchange, *routingKey, message)
		pending++
	}
	for pending > 0 {
		wait()
	}
}

func runPublish(mode string) {
	var all []*amqp.Channel
	var confirms []chan amqp.Confirmation // one for each channel
	var open []*amqp.Connection
	for i := 0; i < *connections; i++ {
		connection := connect()
		open = append(open, connection)
		for j := 0; j < *channels; j++ {
			channel := openChannel(connection)
			if mode == "publish-confirm" {
				check(channel.Confirm(false), "confirm.select")
				confirms = append(confirms, channel.NotifyPublish(make(chan amqp.Confirmation, *window)))
			}
			all = append(all, channel)
		}
	}
	declare(all[0])
	message := newMessage()
	inParallel := func(count int) {
		var group sync.WaitGroup
		for i, channel := range all {
			share := count / len(all)
			if i < count%len(all) {
				share++
			}
			group.Add(1)
			go func(i int, channel *amqp.Channel) {
				defer group.Done()
				if confirms != nil {
					publishManyConfirmed(channel, confirms[i], share, message)
				} else {
					publishMany(channel, share, message)
				}
			}(i, channel)
		}
		group.Wait()
	}
	if *warmup > 0 {
		inParallel(*warmup)
	}
	start := readClocks()
	inParallel(*messages)
	report(mode, start, nil)
	_, err := all[0].QueueDelete(*queue, false, false, false)
	check(err, "queue.delete")
	for _, connection := range open {
		connection.Close()
	}
}

func runConsume(mode string) {
	if *connections > 1 {
		quit(unsupported, "consumes on one connection only")
	}
	acks := mode == "consume-ack"
	connection := connect()
	var all []*amqp.Channel
	for i := 0; i < *channels; i++ {
		channel := openChannel(connection)
		if acks && *prefetch > 0 {
			check(channel.Qos(*prefetch, 0, false), "basic.qos")
		}
		all = append(all, channel)
	}
	needed := *warmup + *messages
	message := newMessage()
	for there := declare(all[0]).Messages; there < needed; there++ {
		publish(all[0], "", *queue, message)
	}
	drained(all[0])

	// A goroutine per consumer. More than needed may come, and is left alone.
	start := readClocks()
	var taken, finished atomic.Int64
	done := make(chan struct{})
	consume := func(deliveries <-chan amqp.Delivery) {
		for d := range deliveries {
			if taken.Add(1) > int64(needed) {
				continue
			}
			if len(d.Body) != *size {
				quit(1, "a body of %d bytes", len(d.Body))
			}
			if acks {
				check(d.Ack(false), "basic.ack")
			}
			switch finished.Add(1) {
			case int64(needed):
				close(done)
			case int64(*warmup):
				start = readClocks()
			}
		}
	}
	for i := 0; i < *consumers; i++ {
		deliveries, err := all[i%len(all)].Consume(*queue, "", !acks, false, false, false, nil)
		check(err, "basic.consume")
		go consume(deliveries)
	}
	<-done
	report(mode, start, nil)
	connection.Close()
}

func runPingPong(mode string) {
	channel := openChannel(connect())
	declare(channel)
	deliveries, err := channel.Consume(*queue, "", true, false, false, false, nil)
	check(err, "basic.consume")
	message := newMessage()
	latencies := make([]time.Duration, 0, *messages)
	start := readClocks()
	for i := -*warmup; i < *messages; i++ {
		if i == 0 {
			start = readClocks()
		}
		sent := time.Now()
		publish(channel, *exchange, *routingKey, message)
		if _, open := <-deliveries; !open {
			quit(1, "the consumer ended")
		}
		if i >= 0 {
			latencies = append(latencies, time.Since(sent))
		}
	}
	report(mode, start, latencies)
}

func runConnect(mode string) {
	latencies := make([]time.Duration, 0, *messages)
	start := readClocks()
	for i := -*warmup; i < *messages; i++ {
		if i == 0 {
			start = readClocks()
		}
		began := time.Now()
		connection := connect()
		check(openChannel(connection).Close(), "channel.close")
		check(connection.Close(), "connection.close")
		if i >= 0 {
			latencies = append(latencies, time.Since(began))
		}
	}
	report(mode, start, latencies)
}

func main() {
	if len(os.Args) < 2 || strings.HasPrefix(os.Args[1], "-") {
		quit(64, "usage: %s MODE [options], see README.md", os.Args[0])
	}
	mode := os.Args[1]
	check(flag.CommandLine.Parse(os.Args[2:]), "options")
	if *routingKey == "" {
		*routingKey = *queue
	}
	switch mode {
	case "publish", "publish-confirm":
		runPublish(mode)
	case "consume", "consume-ack":
		runConsume(mode)
	case "ping-pong":
		runPingPong(mode)
	case "connect":
		runConnect(mode)
	default:
		quit(unsupported, "no mode %s here", mode)
	}
}
