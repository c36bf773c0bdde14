#!/usr/bin/env php
<?php
// Mints playback tokens offline, from the secret alone.
//
// Each line of the input is a wish in JSON, each line of the output what goes into the playback URL:
//
//   echo '{"secret": "…", "stream": "ABCDE-demo", "expires": "1900000000", "tag": "a tag"}' | php mint.php
//
// A wish names `stream` or `orga`, and any of `expires` (Unix seconds), `ip`, `referer` and `tag`.
// Nothing is checked here: a name that cannot be one makes a token that opens nothing.

declare(strict_types=1);

const EXPIRES = 1, IP = 2, REFERER = 4, TAG = 8, ORGA = 16;

function mac(string $key, string $data): string
{
    return hash_hmac('sha256', $data, $key, true);
}

function sized(string $text): string
{
    return pack('n', strlen($text)) . $text;
}

/** Eight bytes, by long division: PHP's own integers end at 2^63. */
function seconds(string $decimal): string
{
    $out = '';
    for ($byte = 0; $byte < 8; $byte++) {
        [$quotient, $rest] = ['', 0];
        foreach (str_split($decimal) as $digit) {
            $rest = $rest * 10 + (int) $digit;
            $quotient .= intdiv($rest, 256);
            $rest %= 256;
        }
        $out = chr($rest) . $out;
        $decimal = $quotient;
    }
    return $out;
}

function address(string $ip): string
{
    $packed = inet_pton($ip);
    // IPv4 as IPv4-mapped IPv6.
    return strlen($packed) === 16 ? $packed : str_repeat("\0", 10) . "\xff\xff" . $packed;
}

function mint(array $wish): array
{
    $get = fn(string $name): string => (string) ($wish[$name] ?? '');
    [$expires, $ip, $referer, $tag, $orga] = array_map($get, ['expires', 'ip', 'referer', 'tag', 'orga']);
    $options = ($expires !== '' ? EXPIRES : 0) | ($ip !== '' ? IP : 0) | ($referer !== '' ? REFERER : 0)
        | ($tag !== '' ? TAG : 0) | ($orga !== '' ? ORGA : 0);
    $message = chr($options) . sized($orga !== '' ? $orga : $get('stream'));
    $message .= $expires !== '' ? seconds($expires) : '';
    $message .= $ip !== '' ? address($ip) : '';
    $message .= $referer !== '' ? sized($referer) : '';
    $message .= $tag !== '' ? sized($tag) : '';
    $kid = substr(mac($get('secret'), 'h5live kid v1'), 0, 4);
    $key = mac($get('secret'), 'h5live playback token v1');
    $token = rtrim(strtr(base64_encode("\x01" . $kid . mac($key, $message)), '+/', '-_'), '=');
    return ['expires' => $expires, 'tag' => $tag, 'token' => $token, 'options' => $options];
}

while (($line = fgets(STDIN)) !== false) {
    $wish = json_decode($line, true, 512, JSON_THROW_ON_ERROR | JSON_BIGINT_AS_STRING);
    echo json_encode(mint($wish), JSON_THROW_ON_ERROR), "\n";
}
