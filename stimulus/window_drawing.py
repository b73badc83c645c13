"""Drawing of movie frames with OpenGL: a texture for the frame, a mesh on the window, the patch.

Everything is allocated when the object is made. Between two flips a frame is looked up into an
existing buffer, copied into an existing texture and drawn by one compiled display list; a frame
that stays for several refreshes is not copied again. The module `pyglet.gl` is passed in, because
only `stimulus.presenter` imports it.
"""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stimulus.sync_patch import SyncPatch

_TEXTURES = 2
"""Used in turn, so that a frame can be copied while the one before it is still being drawn."""


class WindowDrawing:
    """Draws one movie frame and the patch into the current OpenGL context.

    Parameters
    ----------
    gl
        The module `pyglet.gl`; its functions of OpenGL 2.1 are used, as by PsychoPy itself.
    shape
        (rows, cols) of a movie frame.
    lookup
        (256,) grey level of the window for each grey level of the movie.
    mesh
        (corner, 2) places in the window and (corner, 2) places in the frame, see `stimulus.warp`.
    patch
        Place and size of the patch.
    """

    def __init__(
        self,
        gl: Any,
        *,
        shape: tuple[int, int],
        lookup: NDArray[np.uint8],
        mesh: tuple[NDArray[np.float32], NDArray[np.float32]],
        patch: SyncPatch,
        background: int,
    ) -> None:
        self._gl, self._lookup = gl, lookup
        self._index = np.zeros(shape, np.intp)
        self._levels = np.zeros(shape, np.uint8)
        self._pixels = self._levels.ctypes.data_as(ctypes.c_void_p)
        self._uploaded: NDArray[np.uint8] | None = None
        self._textures = (gl.GLuint * _TEXTURES)()
        gl.glGenTextures(_TEXTURES, self._textures)
        self._lists = [self._frame_list(texture, mesh, background) for texture in self._textures]
        self._current = 0
        self._patch = self._patch_list(patch)

    def draw(self, luminance: NDArray[np.uint8], *, patch: int) -> None:
        """Draw a (row, col) frame, and the patch at grey level `patch`."""
        if luminance is not self._uploaded:
            self._upload(luminance)
        gl = self._gl
        gl.glCallList(self._lists[self._current])
        if self._patch is not None:
            gl.glColor3ub(patch, patch, patch)
            gl.glCallList(self._patch)

    def _upload(self, luminance: NDArray[np.uint8]) -> None:
        gl = self._gl
        self._uploaded, self._current = luminance, (self._current + 1) % _TEXTURES
        # a lookup by bytes would allocate an index; with clip, numpy writes into `out` directly
        np.copyto(self._index, luminance)
        np.take(self._lookup, self._index, out=self._levels, mode="clip")
        gl.glBindTexture(gl.GL_TEXTURE_2D, self._textures[self._current])
        gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
        rows, cols = self._levels.shape
        gl.glTexSubImage2D(
            gl.GL_TEXTURE_2D,
            0,
            0,
            0,
            cols,
            rows,
            gl.GL_LUMINANCE,
            gl.GL_UNSIGNED_BYTE,
            self._pixels,
        )

    def _frame_list(
        self,
        texture: int,
        mesh: tuple[NDArray[np.float32], NDArray[np.float32]],
        background: int,
    ) -> int:
        """Allocate `texture`; a display list that draws it on the mesh."""
        gl, (rows, cols) = self._gl, self._levels.shape
        gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
        for name, value in (
            (gl.GL_TEXTURE_MAG_FILTER, gl.GL_NEAREST),
            (gl.GL_TEXTURE_MIN_FILTER, gl.GL_NEAREST),
            (gl.GL_TEXTURE_WRAP_S, gl.GL_CLAMP_TO_BORDER),
            (gl.GL_TEXTURE_WRAP_T, gl.GL_CLAMP_TO_BORDER),
        ):
            gl.glTexParameteri(gl.GL_TEXTURE_2D, name, value)
        border = (gl.GLfloat * 4)(*[background / 255] * 3, 1.0)
        gl.glTexParameterfv(gl.GL_TEXTURE_2D, gl.GL_TEXTURE_BORDER_COLOR, border)
        gl.glPixelStorei(gl.GL_UNPACK_ALIGNMENT, 1)
        grey, byte = gl.GL_LUMINANCE, gl.GL_UNSIGNED_BYTE
        gl.glTexImage2D(
            gl.GL_TEXTURE_2D, 0, gl.GL_LUMINANCE8, cols, rows, 0, grey, byte, self._pixels
        )
        number = self._begun_list()
        gl.glEnable(gl.GL_TEXTURE_2D)
        gl.glBindTexture(gl.GL_TEXTURE_2D, texture)
        gl.glColor3f(1.0, 1.0, 1.0)
        _quadrilaterals(gl, *mesh)
        gl.glEndList()
        return number

    def _patch_list(self, patch: SyncPatch) -> int | None:
        if patch.config.size_px == 0:
            return None
        left, top, right, bottom = patch.edges_px
        px = np.array([[left, bottom], [right, bottom], [right, top], [left, top]], np.float32)
        places = (px / patch.window_px * 2 - 1) * np.array([1, -1], np.float32)
        number = self._begun_list()
        self._gl.glDisable(self._gl.GL_TEXTURE_2D)
        _quadrilaterals(self._gl, np.ascontiguousarray(places, np.float32), None)
        self._gl.glEndList()
        return number

    def _begun_list(self) -> int:
        """Begin a display list that draws in coordinates of the window from -1 to 1."""
        gl = self._gl
        number: int = gl.glGenLists(1)
        gl.glNewList(number, gl.GL_COMPILE)
        gl.glUseProgram(0)
        gl.glActiveTexture(gl.GL_TEXTURE0)
        for unwanted in (gl.GL_BLEND, gl.GL_DEPTH_TEST, gl.GL_LIGHTING, gl.GL_CULL_FACE):
            gl.glDisable(unwanted)
        for matrix in (gl.GL_PROJECTION, gl.GL_MODELVIEW):
            gl.glMatrixMode(matrix)
            gl.glLoadIdentity()
        return number


def _quadrilaterals(
    gl: Any, places: NDArray[np.float32], texture: NDArray[np.float32] | None
) -> None:
    """Draw, or compile into the open display list, quadrilaterals; four corners each."""
    pointer = ctypes.c_void_p
    gl.glBindBuffer(gl.GL_ARRAY_BUFFER, 0)
    gl.glEnableClientState(gl.GL_VERTEX_ARRAY)
    gl.glVertexPointer(2, gl.GL_FLOAT, 0, places.ctypes.data_as(pointer))
    if texture is not None:
        gl.glEnableClientState(gl.GL_TEXTURE_COORD_ARRAY)
        gl.glTexCoordPointer(2, gl.GL_FLOAT, 0, texture.ctypes.data_as(pointer))
    gl.glDrawArrays(gl.GL_QUADS, 0, len(places))
    gl.glDisableClientState(gl.GL_TEXTURE_COORD_ARRAY)
    gl.glDisableClientState(gl.GL_VERTEX_ARRAY)
