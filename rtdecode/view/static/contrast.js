// Grey levels as they are painted: a choice of the display alone, which no score depends on.

export const CONTRASTS = ["as it is", "matched", "stretched"];
const [MATCHED, STRETCHED] = [1, 2];
const ENDS = [0.01, 0.99];
const IDENTITY = Uint8Array.from({ length: 256 }, (_, grey) => grey);

// Tables from grey level to painted grey level, of displayed and decoded picture.
export function paintedGreys(choice, packet) {
  const { displayed, decoded, hasDisplayed, hasDecoded } = packet;
  if (choice === MATCHED && hasDisplayed && hasDecoded) {
    const [a, b] = [moments(displayed), moments(decoded)];
    const gain = b.sd > 0 ? a.sd / b.sd : 1;
    return { displayed: IDENTITY, decoded: table((grey) => a.mean + (grey - b.mean) * gain) };
  }
  if (choice === STRETCHED) {
    return {
      displayed: hasDisplayed ? stretched(displayed) : IDENTITY,
      decoded: hasDecoded ? stretched(decoded) : IDENTITY,
    };
  }
  return { displayed: IDENTITY, decoded: IDENTITY };
}

const table = (grey) => Uint8ClampedArray.from({ length: 256 }, (_, k) => grey(k));

function moments(plane) {
  let [sum, squares] = [0, 0];
  for (const grey of plane) {
    sum += grey;
    squares += grey * grey;
  }
  const mean = sum / plane.length;
  return { mean, sd: Math.sqrt(Math.max(0, squares / plane.length - mean * mean)) };
}

// The darkest and the brightest percent become black and white.
function stretched(plane) {
  const counts = new Uint32Array(256);
  for (const grey of plane) counts[grey] += 1;
  const [low, high] = ENDS.map((part) => {
    let [left, grey] = [part * plane.length, 0];
    while (grey < 255 && (left -= counts[grey]) > 0) grey += 1;
    return grey;
  });
  return table((grey) => (255 * (grey - low)) / Math.max(1, high - low));
}
