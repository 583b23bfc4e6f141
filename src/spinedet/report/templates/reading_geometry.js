"use strict";
// Boxes on voxel edges in RAS mm, as core/geometry.py has them. A series is {shape: [n, h, w], affine: 3 rows of 4}:
// slice, row and column index of voxel centres to RAS mm. Edge coordinate e lies at index e - 0.5.

function dot(a, b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

function spacing(series) {
  return [0, 1, 2].map(k => Math.hypot(series.affine[0][k], series.affine[1][k], series.affine[2][k]));
}

// Unit rows: the RAS directions of slice, row and column.
function axes(series) {
  const mm = spacing(series);
  return [0, 1, 2].map(k => [0, 1, 2].map(r => series.affine[r][k] / mm[k]));
}

function toWorld(series, edge) {
  return [0, 1, 2].map(r => {
    const row = series.affine[r];
    return row[0] * (edge[0] - 0.5) + row[1] * (edge[1] - 0.5) + row[2] * (edge[2] - 0.5) + row[3];
  });
}

// By Cramer's rule, so that slightly oblique axes of a file are solved and not transposed.
function toEdge(series, point) {
  const m = series.affine;
  const columns = [0, 1, 2].map(k => [m[0][k], m[1][k], m[2][k]]);
  const away = [0, 1, 2].map(r => point[r] - m[r][3]);
  const whole = determinant(columns);
  return [0, 1, 2].map(k => {
    const replaced = columns.slice();
    replaced[k] = away;
    return determinant(replaced) / whole + 0.5;
  });
}

function determinant(c) {
  return c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1])
    - c[1][0] * (c[0][1] * c[2][2] - c[0][2] * c[2][1])
    + c[2][0] * (c[0][1] * c[1][2] - c[0][2] * c[1][1]);
}

const RAS = [[1, 0, 0], [0, 1, 0], [0, 0, 1]];
const ORDERS = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
const SAME_AXES = 1e-4;

function corners(box) {
  const rows = box.axes || RAS, found = [];
  for (const i of [-0.5, 0.5]) for (const j of [-0.5, 0.5]) for (const k of [-0.5, 0.5]) {
    found.push([0, 1, 2].map(r => box.center[r]
      + i * box.size[0] * rows[0][r] + j * box.size[1] * rows[1][r] + k * box.size[2] * rows[2][r]));
  }
  return found;
}

// Edge coordinates {low, high} of a box on a series: exact in its own frame, else the hull of its corners.
function edgesOf(series, box) {
  const local = corners(box).map(point => toEdge(series, point));
  return {
    low: [0, 1, 2].map(k => Math.min(...local.map(p => p[k]))),
    high: [0, 1, 2].map(k => Math.max(...local.map(p => p[k]))),
  };
}

// The box of edge coordinates in RAS mm, its rows ordered and pointed as near to R, A and S as they go.
function worldBox(series, edges) {
  const mm = spacing(series), rows = axes(series);
  const center = toWorld(series, [0, 1, 2].map(k => (edges.low[k] + edges.high[k]) / 2));
  const size = [0, 1, 2].map(k => (edges.high[k] - edges.low[k]) * mm[k]);
  const fit = order => order.reduce((sum, row, column) => sum + Math.abs(rows[row][column]), 0);
  const order = ORDERS.reduce((best, each) => (fit(each) > fit(best) ? each : best));
  const turned = order.map((row, column) => rows[row].map(v => (rows[row][column] < 0 ? -v : v) + 0));
  const box = { center, size: order.map(row => size[row]) };
  const off = Math.max(...turned.flatMap((row, r) => row.map((v, c) => Math.abs(v - RAS[r][c]))));
  if (off > SAME_AXES) box.axes = turned;
  return box;
}

if (typeof module !== "undefined") module.exports = { toWorld, toEdge, edgesOf, worldBox, corners, axes, spacing };
