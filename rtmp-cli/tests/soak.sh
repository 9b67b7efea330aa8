#!/bin/bash
# Keeps `rtmp serve` busy and tells whether it stays as small as it was: soak.sh 10m (or 90s, 3h, 72h).
#
# Two streams go on throughout, with four players each, of which one stops reading every few seconds.
# Beside them publishers and players come and go, by signal, by kill -9 and in good order, ffmpeg among
# them if there is one; everything is recorded; and connections are opened that say nothing, nonsense, or
# half of what they should, and then stall or are reset.
#
# Prints a line every INTERVAL (5) seconds: memory, file descriptors and threads of the server, and what
# has happened since the line before. Fails
# - if the server or one of the streams that go on ends, or the server panics;
# - if the median of memory, descriptors or threads in the last third is more than an eighth (and 8 MiB,
#   8 descriptors or 8 threads) above that of the third before it, the first third being the warm-up;
# - if, once all clients are gone, the server has more descriptors open than before the first came.
#
# RTMP is the program, which is built if it is not given; PORT (1945) is where it listens.
set -euo pipefail
cd "$(dirname "$0")/.."

INTERVAL=${INTERVAL:-5}
PORT=${PORT:-1945}
URL=rtmp://127.0.0.1:$PORT/soak

main() {
    local seconds
    seconds=$(in_seconds "${1:?how long, for example 90s, 10m or 72h}")
    build
    directory=$(mktemp -d)
    mkdir "$directory/recordings"
    trap clean_up EXIT
    make_file >"$directory/stream.flv"
    start_server
    local idle_descriptors
    idle_descriptors=$(descriptors)
    start_load
    watch "$seconds"
    stop_load
    if ! settles_to "$idle_descriptors"; then
        fail "$(descriptors) descriptors are open without clients, $idle_descriptors were before"
    fi
    judge
    kill -TERM "$server"
    wait "$server" || fail "the server ends with status $?"
    exit "$failed"
}

build() {
    if [ -z "${RTMP:-}" ]; then
        cargo build --release -p rtmp-cli
        RTMP=${CARGO_TARGET_DIR:-../target}/release/rtmp
    fi
    RTMP=$(realpath "$RTMP")
}

start_server() {
    "$RTMP" serve --listen "127.0.0.1:$PORT" --record "$directory/recordings" 2>>"$directory/log" &
    server=$!
    until grep -q "listening on" "$directory/log"; do
        kill -0 "$server" || { cat "$directory/log"; exit 1; }
        sleep 0.1
    done
}

# Everything that is started here runs in this script's subshells, each of which ends its own children.
start_load() {
    local stream player
    for stream in steady1 steady2; do
        run steady "$RTMP" publish "$directory/stream.flv" "$URL/$stream" --loop
        for player in 1 2 3; do
            run steady "$RTMP" play "$URL/$stream" --output /dev/null
        done
        run again stalling_player "$URL/$stream"
    done
    for _ in 1 2 3; do run again short_publisher; done
    for _ in 1 2 3 4 5 6; do run again short_player; done
    run again connection_that_says_nothing
    run again connection_that_is_reset
    run again connection_with_nonsense
    run again connection_with_half_a_message
    run again connection_that_is_closed
    run again tidy_recordings
    if command -v ffmpeg >"$directory/ffmpeg"; then
        run again ffmpeg_publisher
        run again ffmpeg_player
    fi
}

run() {
    (
        trap 'kill $(jobs -p) 2>/dev/null; exit 0' TERM
        "$@"
    ) </dev/null >/dev/null 2>&1 &
    load+=($!)
}

# What is never to end.
steady() {
    "$@" &
    wait $! || true
    echo "$*" >>"$directory/ended"
}

again() {
    while true; do
        "$@" &
        wait $! || true
        pause 1
    done
}

short_publisher() {
    for_some_seconds "$RTMP" publish "$directory/stream.flv" "$URL/short$((RANDOM % 4))" --loop
}

short_player() {
    local streams=(steady1 steady2 short0 short1 short2 short3)
    for_some_seconds "$RTMP" play "$URL/${streams[RANDOM % 6]}" --output /dev/null
}

# Reads, and then nothing more until it is cut off.
stalling_player() {
    timeout -s KILL 30 "$RTMP" play "$1" --output - | { head -c 200000; sleep 29; } >/dev/null
}

ffmpeg_publisher() {
    timeout -s INT $((3 + RANDOM % 8)) ffmpeg -v error -re -f lavfi -i testsrc=size=320x180:rate=25 \
        -f lavfi -i sine -c:v flv1 -g 50 -c:a aac -f flv "$URL/short0"
}

ffmpeg_player() {
    timeout -s INT $((3 + RANDOM % 8)) ffmpeg -v error -i "$URL/short0" -c copy -f null -
}

connection_that_says_nothing() {
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    sleep $((RANDOM % 20))
}

# Closed with the answer unread, which is a reset.
connection_that_is_reset() {
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    hello >&3
    pause 1
}

connection_with_nonsense() {
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    { hello && head -c 1536 /dev/zero && head -c 20000 /dev/urandom; } >&3
    pause 1
}

# Type 20 on chunk stream 3, 16 MiB long, of which little comes.
connection_with_half_a_message() {
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
    { hello && head -c 1536 /dev/zero && printf '\3\0\0\0\377\377\377\24\0\0\0\0half'; } >&3
    sleep $((RANDOM % 20))
}

connection_that_is_closed() {
    exec 3<>"/dev/tcp/127.0.0.1/$PORT"
}

# C0 and C1.
hello() {
    printf '\3'
    head -c 1536 /dev/zero
}

# The server holds on to those it is writing.
tidy_recordings() {
    find "$directory/recordings" -name '*.flv' -mmin +1 -delete
    sleep 10
}

for_some_seconds() {
    local signals=(INT TERM KILL)
    timeout -s "${signals[RANDOM % 3]}" "$((1 + RANDOM % 6)).$((RANDOM % 10))" "$@"
}

# Up to so many seconds.
pause() {
    sleep "$((RANDOM % $1)).$((RANDOM % 10))"
}

# Ends those that run the load, and they what they have started.
stop_load() {
    kill "${load[@]}" 2>/dev/null || true
    wait "${load[@]}" 2>/dev/null || true
    load=()
}

watch() {
    local end=$((SECONDS + $1)) begin=$SECONDS row=0
    while [ $SECONDS -lt "$end" ]; do
        sleep "$INTERVAL"
        kill -0 "$server" 2>/dev/null || { fail "the server has ended"; tail -20 "$directory/log"; exit 1; }
        [ $((row++ % 20)) != 0 ] || header
        sample $((SECONDS - begin))
        if [ -s "$directory/ended" ]; then
            fail "this was to go on: $(<"$directory/ended")"
            rm "$directory/ended"
        fi
    done
}

header() {
    printf '%8s %10s %12s %8s %11s %8s %8s %9s\n' \
        seconds 'memory KiB' descriptors threads publishers players ended recorded
}

# One line, and one in $directory/samples.
sample() {
    local memory threads news
    memory=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status")
    threads=$(sed -n 's/^Threads:[^0-9]*//p' "/proc/$server/status")
    # What the server has said since. It appends, so that the file can be cut off.
    news=$(<"$directory/log")
    : >"$directory/log"
    ! grep -E 'panic|ERROR' <<<"$news" || fail "the server has panicked"
    printf '%8s %10s %12s %8s %11s %8s %8s %9s\n' "$1" "$memory" "$(descriptors)" "$threads" \
        "$(count ' publishing peer=')" "$(count ' playing peer=')" \
        "$(count 'ended|not established')" "$(count 'recording ended')"
    echo "$memory $(descriptors) $threads" >>"$directory/samples"
}

count() {
    grep -Ec "$1" <<<"$news" || true
}

descriptors() {
    find "/proc/$server/fd" -mindepth 1 | wc -l
}

# The republish wait, the write stall and the handshake timeout are over by then.
settles_to() {
    for _ in {1..60}; do
        [ "$(descriptors)" -gt "$1" ] || return 0
        sleep 1
    done
    return 1
}

# Compares the last two thirds.
judge() {
    local column=0 name slack before after
    echo "=== medians of the second and the last third"
    for name in memory:8192 descriptors:8 threads:8; do
        slack=${name#*:} name=${name%:*}
        column=$((column + 1))
        before=$(median "$column" 1) after=$(median "$column" 2)
        echo "$name: $before, $after"
        [ "$after" -le $((before + before / 8 + slack)) ] || fail "$name has grown"
    done
    [ "$failed" != 0 ] || echo "=== passed"
}

# The median of a column of the samples in the given third of them.
median() {
    local all third
    all=$(wc -l <"$directory/samples")
    third=$((all / 3))
    [ "$third" -gt 0 ] || { echo "too short" >&2; exit 1; }
    tail -n "+$((third * $2 + 1))" "$directory/samples" | head -n "$third" |
        awk -v column="$1" '{ print $column }' | sort -n | sed -n "$(((third + 1) / 2))p"
}

# Four seconds of something that looks like H.264 at 25 pictures a second and 1.6 Mbit/s.
make_file() {
    printf 'FLV\1\1\0\0\0\11\0\0\0\0'
    tag 0 '\27\0\0\0\0\1\115\100\37\377\340\0' 12
    local number
    for ((number = 0; number < 100; number++)); do
        local kind='\47'
        [ $((number % 50)) != 0 ] || kind='\27'
        tag $((number * 40)) "$kind\1\0\0\0" 8000
    done
}

# A video tag at $1 ms that begins with $2 and is $3 bytes long.
tag() {
    local begin
    printf '\11%b%b\0\0\0\0' "$(bytes "$3" 3)" "$(bytes "$1" 3)"
    # shellcheck disable=SC2059 # It is meant as one.
    begin=$(printf "$2" | wc -c)
    # shellcheck disable=SC2059
    printf "$2"
    head -c $(($3 - begin)) /dev/zero
    printf '%b' "$(bytes $(($3 + 11)) 4)"
}

# $1 as $2 bytes, for printf %b.
bytes() {
    local index
    for ((index = $2 - 1; index >= 0; index--)); do
        printf '\\x%02x' $((($1 >> (8 * index)) & 255))
    done
}

fail() {
    echo "FAILED: $1"
    failed=1
}

clean_up() {
    stop_load
    kill -KILL "$server" 2>/dev/null || true
    rm -rf "$directory"
}

in_seconds() {
    case $1 in
    *h) echo $((${1%h} * 3600)) ;;
    *m) echo $((${1%m} * 60)) ;;
    *) echo "${1%s}" ;;
    esac
}

load=()
failed=0
server=
main "$@"
