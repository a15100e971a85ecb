// Uploads as forms or as bare pictures, read by what Node has.
import express from 'express';

export const UPLOAD_BYTES_MAX = 8 * 1024 * 1024;
const TITLE_CHARACTERS_MAX = 100;

/** Reads the whole body, which is bounded; what is neither a form nor a picture is not read. */
export const readUpload = express.raw({ type: ['multipart/form-data', 'image/*', 'application/octet-stream'], limit: UPLOAD_BYTES_MAX });

export class UploadError extends Error {}

/** The picture's bytes and its title. Throws UploadError for people. */
export async function uploadOf(request) {
  if (!Buffer.isBuffer(request.body) || request.body.length === 0) throw new UploadError('Choose a picture to upload.');
  if (!request.is('multipart/form-data')) return { bytes: request.body, title: titleOf(request.query.title) };
  const form = await formOf(request);
  const files = form.getAll('photo');
  if (files.length !== 1 || typeof files[0] === 'string' || files[0].size === 0) throw new UploadError('Choose one picture to upload.');
  const [file] = files;
  return { bytes: Buffer.from(await file.arrayBuffer()), title: titleOf(form.get('title')) || titleOf(file.name.replace(/\.[^.]*$/, '')) };
}

async function formOf(request) {
  try {
    return await new Response(request.body, { headers: { 'content-type': request.headers['content-type'] } }).formData();
  } catch {
    throw new UploadError('The form cannot be read.');
  }
}

export function titleOf(value) {
  if (typeof value !== 'string') return '';
  const seen = value.toWellFormed().replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu, ' ');
  return [...seen.trim()].slice(0, TITLE_CHARACTERS_MAX).join('');
}
