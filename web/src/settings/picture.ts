/** Pictures of people are small: they are cut to a square and made smaller before they are sent. */

const SIDE = 192;
// As much as the service takes.
const LONGEST = 32_768;
const QUALITIES = [0.9, 0.75, 0.5];

/** Read a picture from a file, as a `data:` URL that is small enough; `null` if it is none. */
export async function pictureFrom(file: File): Promise<string | null> {
  const found = await createImageBitmap(file).catch(() => null);
  if (found === null) return null;
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIDE;
  const brush = canvas.getContext("2d");
  if (brush === null) return null;
  // What is clear in it would be black in a JPEG.
  brush.fillStyle = "#fff";
  brush.fillRect(0, 0, SIDE, SIDE);
  brush.imageSmoothingQuality = "high";
  const side = Math.min(found.width, found.height);
  const [left, top] = [(found.width - side) / 2, (found.height - side) / 2];
  brush.drawImage(found, left, top, side, side, 0, 0, SIDE, SIDE);
  found.close();
  return (
    QUALITIES.map((quality) => canvas.toDataURL("image/jpeg", quality)).find(
      (url) => url.length <= LONGEST,
    ) ?? null
  );
}
