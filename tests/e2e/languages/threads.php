<?php
// PHP has no threads: processes that write to a pipe.
$pipes = [];
for ($i = 0; $i < 4; ++$i) {
    $code = 'for ($j = 0, $n = 0; $j < 10000; ++$j) ++$n; echo $n;';
    $pipes[] = popen(PHP_BINARY . " -r '$code'", 'r');
}
$total = 0;
foreach ($pipes as $pipe) {
    $total += (int) stream_get_contents($pipe);
    pclose($pipe);
}
echo "$total\n";
