import Control.Concurrent
import Control.Monad

main :: IO ()
main = do
  total <- newMVar (0 :: Int)
  ends <- replicateM 4 $ do
    end <- newEmptyMVar
    _ <- forkOS $ do
      replicateM_ 10000 $ modifyMVar_ total (\n -> return $! n + 1)
      putMVar end ()
    return end
  mapM_ takeMVar ends
  readMVar total >>= print
