"""The seed study: lumbar training, external tests, transfer to the cervical spine."""
