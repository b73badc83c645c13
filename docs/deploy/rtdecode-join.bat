@echo off
rem Runs the processes of this computer in the runs of the decoder's computer, until Ctrl-C.
rem Adapt both paths. A link to this file in the folder that shell:startup opens starts it at login.
title rtdecode
cd /d "%USERPROFILE%\rig"
C:\rtdecode\Scripts\rtdecode join run.yaml --role bridge --wait
if errorlevel 1 pause
